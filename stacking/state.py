"""Columns of the engine's own matrices: parameters (never change), state (changes), compiled design, scratch.

Worlds come first, then portfolios. Parameters and money are float64; what a portfolio has scheduled, offered and sold is one
row of float32 (`ring`), so that many portfolios fit into the cache: a MW has seven digits there. Read it with `ahead`, `cell`
and `hour_cell`, which give float64, or compiled and plain Python would round differently.
"""

from __future__ import annotations

from typing import Any

from .build import law

# ---- asset kinds: blocks of columns ----------------------------------------------------------------------------------
BATTERY, FLEET, LOAD = 0, 1, 2
KINDS_W = 3

# ---- portfolio parameters, (portfolio, PARAMS_W) ------------------------------------------------------------------
CONNECTION_MW, TARIFF, TOTAL_MW = 0, 1, 2  # TOTAL: what all assets can move, cut by the connection
ORDER = 3  # asset kinds by cost, cheapest first: three columns
# battery; rated: what battery and grid connection allow together; INTO, OUT: MWh in the store per MW and MTU
RATED_MW, CAPACITY_MWH, MIN_MWH, MAX_MWH, CHARGE_FRAC, DISCHARGE_FRAC, WEAR, INTO, OUT = range(6, 15)
# fleet; FLEET_ROW: row of the forecasts, -1 if there is none; CHARGER: first charging point
FLEET_ROW, CHARGER, CHARGERS, FLEET_MW, V2G_LOSS_FRAC, DELAY, V2G_WEAR, UNMET = range(15, 23)
# load; LOAD_ROW: row of the profiles, -1 if there is none; durations in MTU, notice in minutes
LOAD_ROW, FLEX_FRAC, STEP_MW, NOTICE_MIN, MIN_RUN, MAX_RUN, REST, PER_DAY, REBOUND_FRAC, REBOUND_MTU, LOAD_COST = range(23, 34)
AREA = 34  # local market area of the portfolio
# sharing; COLLATERAL in EUR; POOL_HEAD: 1 for the first portfolio of a pool (alone: of its own), NEXT_IN_POOL: next one, or -1
MEMBER, COLLATERAL, POOL_HEAD, NEXT_IN_POOL = 35, 36, 37, 38
PARAMS_W = 39

# ---- portfolio state, float64 (world, portfolio, STATE_W) ----------------------------------------------------------
CONTENT, CASH, POWER, START_CONTENT = 0, 1, 2, 3
CONSENT_NOW = 4  # + direction
# load: MTU of the activation that runs, MTU of rest left, activations started today, energy owed (MWh) and its rate (MW)
RUN, RESTING, STARTED, OWED_MWH, OWED_MW = 6, 7, 8, 9, 10
# fleet in this MTU: power of plugged cars, energy they still want, what cannot wait, what they can take, and can give back
PLUGGED_MW, WANTED_MWH, MUST_MW, CAN_MW, GIVE_MW = 11, 12, 13, 14, 15
STATE_W = 16

# ---- what was seen to be feasible, float64 (world, portfolio, FEASIBLE_W) ---------------------------------------------
# at the next balancing and the next local gate: MW up and down, and the same by asset kind; observed in single precision
FEASIBLE_BALANCING, FEASIBLE_LOCAL = 0, 2 + 2 * KINDS_W
FEASIBLE_W = 2 * FEASIBLE_LOCAL

# ---- charging points, float32 (world, charger, CHARGER_W) ---------------------------------------------------------------
# NEXT: number of the session that is plugged in or comes next; EVENT: tick of its departure or arrival; LEFT: MWh still
# wanted; CAR_MW: power of the plugged car, 0 if there is none; LENT: MWh that may still be taken out of it.
NEXT, EVENT, LEFT, CAR_MW, LENT = range(5)
CHARGER_W = 5

# ---- ring, float32 (world, portfolio, RING_W): one row of all that lies ahead --------------------------------------------
SLOTS = 13  # MTU: the one delivered last, now, and WINDOW - 1 ahead; everything moves one slot when an MTU has passed
PAST = 1  # delivered MTU kept for late publications: the slot of now
WINDOW = 12  # MTU ahead in which anything but the schedule can be committed
# per asset kind and MTU, MW: highest and lowest call of local and of balancing offers (equal once results are known), and
# the schedule relative to the reference (battery 0, fleet charged at once as forecast, load as forecast)
HI_LOCAL, LO_LOCAL, HI_BALANCING, LO_BALANCING, SCHEDULED = range(5)
ASSET_FIELDS = 5
AHEAD = 0
AHEAD_COLS = 2 * ASSET_FIELDS + 4  # a load has no schedule of its own
# per MTU: offers and sales of the row
BOOK = AHEAD + AHEAD_COLS * SLOTS
OFFERED, PRICE, SOLD = 0, 2, 4  # + direction; + 6 per ledger; the price of a forwarded bid is that of the local one
LEDGER_COLS = 6
FORWARDED_OFFERED, FORWARDED_SOLD = 12, 14
ID_MW, ID_VALUE = 16, 17  # intraday MW and EUR
BOOK_W = 18
# per delivery hour: battery schedule, fleet schedule relative to its reference (MW)
PLAN = BOOK + SLOTS * BOOK_W
PLAN_HOURS = 40
PLAN_BATTERY, PLAN_FLEET = range(2)
# per four hours: DRAW, largest energy (MWh) that the battery's schedule takes from the start of the first of them to any later
# time; FILL, smallest (most negative) one
REACH = PLAN + 2 * PLAN_HOURS
REACH_HOURS = 4
REACHES = PLAN_HOURS // REACH_HOURS
DRAW, FILL = range(2)
# fleet, per MTU of the window: least and most energy (MWh) that plugged cars must and can take until its end, and their MW
ENVELOPE = REACH + 2 * REACHES
LEAST, MOST, PLUGGED = range(3)
LENDING = ENVELOPE + 3 * WINDOW  # MW that plugged cars may inject now
CONSENTS = LENDING + 1  # + direction; bit of each slot: consent to share the local bid of that MTU
RING_W = CONSENTS + 2

# ---- world state -----------------------------------------------------------------------------------------------------
# float64 (world, WORLD_W): per ring slot what the local markets moved (MW) and what of it is known, cleared prices, and what
# the TSO bought from a shared book (MW, + = up); then the last published balancing prices
SHIFT, SHIFT_KNOWN, CLEARED_UP, CLEARED_DN, MATCHED = 0, SLOTS, 2 * SLOTS, 3 * SLOTS, 4 * SLOTS
WORLD_ROWS = 5
RECENT = WORLD_ROWS * SLOTS
RECENT_MTU = 4  # published MTU in the observation: imbalance, up, down price each, newest first
TOLD = RECENT + 3 * RECENT_MTU  # forwarded by all for the MTU of the next balancing gate: MW up, down; best price up, down
TOLD_MTU = 3
EARLY_SHIFT = TOLD + 4  # per hour: what the local markets of the day before moved, MW
WORLD_W = EARLY_SHIFT + PLAN_HOURS
# float64 (world, area + 1, AREA_W): price of the local market (joint procurement: of the area) per ring slot, and the last
# published one; what other people sold locally, up and down; the last row is the root's
AREA_RECENT = SLOTS
OTHERS = SLOTS + 1
EARLY_OTHERS = OTHERS + 2 * SLOTS  # the same per hour, of the day before
AREA_W = EARLY_OTHERS + 2 * PLAN_HOURS
# int64 (world, CONTROL_W)
SCENARIO, CLOCK, TODO, DOING = range(4)
CONTROL_W = 4

# ---- compiled gates, int64 (gate, GATE_W) --------------------------------------------------------------------------------
# KNOWN_MIN: minutes before delivery at which the order is known; WHOLE: a block is bought as a whole
KIND, LEDGER, MARKET, LEAD, COUNT, ALIGNED, SEES_LOCAL, SEES_BALANCING, REFUSES, ACTION, KNOWN_MIN, WHOLE = range(12)
TARGET = ACTION  # forward gates: the receiving ledger
TELLS = REFUSES  # publish gates: the prices of areas are told
AGAIN, FORECAST = SEES_LOCAL, SEES_BALANCING  # local clearings: not the first of this book; on the forecast of the need
LAST = REFUSES  # local clearings: the last of this book
GATE_W = 12
# gate kinds, in the order in which a tick takes them; DAY_*: of a local market on the day before, LEAD of
# its offers and clearing: local hour, COUNT: hours of a day in which a bid may be called
PUBLISH, AUCTION, TRADE, REVOKE, DAY_OFFER, OFFER, DAY_CLEAR, AWARD, CLEAR, RESELL, DAY_FORWARD, FORWARD, JOINT, MATCH = range(14)

# ---- compiled areas, int64 (area, AREAS_W), from leaves to root: portfolios first..last-1 ---------------------------------
FIRST_ROW, LAST_ROW, PARENT, OF_TSO = range(4)  # OF_TSO: 1 where its limit is one of the TSO
AREAS_W = 4

# ---- compiled products, (market, PRODUCT_W) ---------------------------------------------------------------------------
MIN_MW, GRANULARITY_MW, PRICE_FLOOR, PRICE_CAP, THRESHOLD, UP_OPEN, DN_OPEN, READY_EUR_PER_MW_H = range(8)
PRODUCT_W = 8

# ---- compiled rules, (RULES_W,) ---------------------------------------------------------------------------------------
FEE, PENALTY, KEEP_PAYMENT, CORRECT_LFM, DSO_SHARE, BLOCK_BALANCING, BLOCK_INTRADAY, POOLING = range(8)
FORWARD_PRICE, HAS_FORWARD, NEEDS_CONSENT, ID_HALF_SPREAD, TERMINAL_FACTOR = 8, 9, 10, 11, 12
NOT_ELIGIBLE = 13  # refusal code of a static requirement that the forwarded product fails, -1 if it fails none
BASELINE = 14
BY_AREA = 15  # balancing bids are paid the price of their area
LOCK_LATENCY_S, BOTH_STAND = 16, 17
GRID_CHECK = 18
NEUTRAL = 19  # local activations are met by opposite energy elsewhere: the balance does not move
MEMBERSHIP, VERIFIED_LATE, COLLATERAL_EUR_PER_MW, CONSENT_SCOPE = 20, 21, 22, 23
CHANGES, RETURNS_REST, FEE_OF_TSO, SHARES_FAILURE, STRIPPED = 24, 25, 26, 27, 28
TELLS_ALL, MEASURED_APART, TOLERANCE_FRAC = 29, 30, 31
OWN_LIMITS = 32  # local bids serve limits of DSO only, unless they are passed on to REDISPATCH
REDISPATCH = 33
AWARDS = 34  # local offers are availability that was awarded
DAY_BEFORE = 35  # the local market is one of the day before
RULES_W = 36
DSO_FIRST, TSO_FIRST, PRO_RATA = 0, 1, 2  # DSO_SHARE: who is served first when less is delivered than ordered
AT_MARGINAL, AS_BID, BETTER = 0, 1, 2  # FORWARD_PRICE
UNCHECKED, CHECK_LIMITS, CHECK_REJECTS = 0, 1, 2  # GRID_CHECK
ANYBODY, EACH_FSP, EACH_POOL = 0, 1, 2  # MEMBERSHIP: who must be a member of the receiving market
EACH_GATE, EACH_DAY, ONCE = 0, 1, 2  # CONSENT_SCOPE
UNCHANGED, PRICE_CHANGES, ALL_CHANGES = 0, 1, 2  # CHANGES of forwarded bids at the balancing gate
BY_SCHEDULE, BY_NOMINATION, BY_MEAN, BY_QUIET_MEAN = 0, 1, 2, 3  # BASELINE

# ---- baseline history, float32 (world, portfolio, columns), only where a design needs it -------------------------------------
# BY_MEAN, BY_QUIET_MEAN: metered hours of the days, newest first; then the hours of today. BY_NOMINATION: per slot the schedule
# as it was told at the local gate, MW
BASELINE_DAYS = 5  # working days whose same hour is averaged
HISTORY_W = 24 * (BASELINE_DAYS + 1)

# ---- local market of the day before, float32 (world, portfolio, columns), where a design has one; per hour, + direction -----
EARLY_OFFERED, EARLY_PRICE, EARLY_SOLD, EARLY_CONSENT = 0, 2, 4, 6
EARLY_HOUR = 8  # the hour that a cell stands for: the last ones of the next day come before the first of this one have passed
EARLY_FIELDS = 9
EARLY_W = EARLY_FIELDS * PLAN_HOURS

# ---- scratch, float64 (1 or chunk, SCRATCH_W): shared by all worlds of a serial build -------------------------------------
ROOM = 0  # MW free per asset kind: up, down
SHARE = 6  # MW of an order per asset kind: local, balancing
LINES = 12  # LEAST and MOST of the window, then the changes of PLUGGED
PATH_LOW, PATH_HIGH = 96, 96 + WINDOW + 1  # fleet: lowest and highest energy charged by the start of each MTU
LANES = 16  # turns of a loop over the window that the compiler takes together (it leaves shorter ones); the last 4 are not used
DRAIN_MOST, DRAIN_LEAST = 128, 128 + LANES  # battery: most and least energy that each MTU takes from the store
HOURS = 160  # the day plan, HOUR_W columns for each hour of a day
HOUR_PRICE, HOUR_POWER, HOUR_CONTENT, HOUR_BUY, HOUR_SELL, HOUR_LOW, HOUR_HIGH = range(7)
HOUR_W, DAY_HOURS = 7, 25
# per MTU of the window, MW: what is known to be sold locally, battery with what it sold, what was sold twice
SEEN_LOCAL = HOURS + HOUR_W * DAY_HOURS
SEEN_BATTERY, SEEN_DOUBLE = SEEN_LOCAL + LANES, SEEN_LOCAL + 2 * LANES
SCRATCH_W = SEEN_LOCAL + 3 * LANES

# ---- what a call does with a world ------------------------------------------------------------------------------------
SKIP, STEP, RESTART, IDLE = 0, 1, 2, 3  # IDLE forgets the flows of the last tick, SKIP leaves everything as it is


@law
def wide(value: Any) -> float:
    """Return a number of single precision in double precision (`float` alone keeps it single when compiled)."""
    return 1.0 * float(value)


@law
def slot_of(tau: int, tick: int) -> int:
    """Return the slot of a delivery MTU, seen from a tick."""
    return tau - tick + PAST


@law
def ahead(ring: Any, kind: int, field: int, slot: int) -> float:
    """Return a field of an asset kind in one MTU."""
    return wide(ring[AHEAD + (kind * ASSET_FIELDS + field) * SLOTS + slot])


@law
def cell(ring: Any, slot: int, column: int) -> float:
    """Return a book column of one MTU."""
    return wide(ring[BOOK + slot * BOOK_W + column])


@law
def hour_cell(ring: Any, field: int, hour: int) -> float:
    """Return a field of the hourly plan; hours since the first tick."""
    return wide(ring[PLAN + field * PLAN_HOURS + hour % PLAN_HOURS])


@law
def early_cell(early: Any, field: int, hour: int) -> float:
    """Return a field of the local market of the day before; hours since the first tick."""
    return wide(early[field * PLAN_HOURS + hour % PLAN_HOURS])


@law
def set_early(early: Any, field: int, hour: int, value: float) -> None:
    """Set a field of the local market of the day before."""
    early[field * PLAN_HOURS + hour % PLAN_HOURS] = value


@law
def early_sold_mw(early: Any, hour: int) -> float:
    """Return what was sold for an hour on the day before, MW, + = up; 0 where there is no such market."""
    if early.shape[0] == 0:
        return 0.0
    return early_cell(early, EARLY_SOLD, hour) - early_cell(early, EARLY_SOLD + 1, hour)


@law
def consented(ring: Any, slot: int, direction: int) -> bool:
    """Return whether the FSP consented to share its local bid of a direction for one MTU."""
    return (int(ring[CONSENTS + direction]) >> slot) & 1 == 1


@law
def set_consent(ring: Any, slot: int, direction: int, given: bool) -> None:
    """Note for one MTU whether the FSP consents to share its local bid of a direction."""
    bits = int(ring[CONSENTS + direction])
    ring[CONSENTS + direction] = bits | (1 << slot) if given else bits & ~(1 << slot)


@law
def column(ledger: int, field: int, direction: int) -> int:
    """Return the book column of a ledger (LFM, MFRR or FORWARDED), field and direction."""
    if ledger == 2:
        if field == PRICE:
            return PRICE + direction
        return FORWARDED_OFFERED + direction if field == OFFERED else FORWARDED_SOLD + direction
    return ledger * LEDGER_COLS + field + direction
