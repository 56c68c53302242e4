"""Columns of the engine's own matrices: parameters (never change), state (changes), compiled design, scratch.

Every matrix is float64 (gates int64) and C-ordered; worlds come first, then portfolios.
"""

# ---- portfolio parameters, (portfolio, PARAMS_W) ------------------------------------------------------------------
RATED_MW, CAPACITY_MWH, MIN_MWH, MAX_MWH = 0, 1, 2, 3  # rated: what battery and grid connection allow together
CHARGE_FRAC, DISCHARGE_FRAC, WEAR, TARIFF = 4, 5, 6, 7
INTO, OUT = 8, 9  # MWh in the store per MW and MTU: charging, injecting
PARAMS_W = 10

# ---- portfolio state, (world, portfolio, STATE_W) -----------------------------------------------------------------
CONTENT, CONSENT_NOW, CASH, POWER, START_CONTENT = 0, 1, 2, 3, 4
# What the observation found feasible (two balancing, two local columns) holds at a gate that sees everything until a bid
# of the same tick is taken: STALE is then set.
FREE_BALANCING, FREE_LOCAL, STALE = 5, 7, 9
STATE_W = 10

# ---- commitments, ring over delivery MTU, (world, portfolio, BOOK_SLOTS, BOOK_W) -------------------------------------
# Column of ledger l, field f, direction d: (l * LEDGER_FIELDS + f) * 2 + d
BOOK_SLOTS = 16
BOOK_PAST = 2  # delivered MTU kept for late publications
WINDOW = 12  # MTU ahead in which anything but the schedule can be committed
OFFERED, PENDING, PRICE, SOLD, KNOWN = 0, 1, 2, 3, 4
LEDGER_FIELDS = 5
BOOK_W = 3 * LEDGER_FIELDS * 2

# ---- sums over ledgers, renewed whenever a slot changes, (world, portfolio, SUMS_W, BOOK_SLOTS) --------------------------
# Slots come last: a look ahead reads few columns of many MTU, and the cache decides the speed.
# With them the intraday trades of the MTU, MW (contained in the position) and value in EUR, and the consent that was given
# when the local bid for this MTU was made.
# DRAIN_HI/DRAIN_LO: energy that schedule and all commitments take from the store in the MTU at most/at least, MWh (zero
# before the MTU enters the window).
NET, UP_PENDING, DN_PENDING, NET_LOCAL, NET_PASSED, ID_MW, ID_VALUE, CONSENTED, DRAIN_HI, DRAIN_LO = range(10)
SUMS_W = 10

# ---- schedule, (world, portfolio, PLAN_W) ---------------------------------------------------------------------------------
# First a ring of the position over delivery MTU (MW), then two rings over delivery hours. DRAW: largest energy that the
# schedule takes from the store from the start of the hour to any later time (MWh); FILL: smallest (most negative) one.
# They make "feasible given all later sales" a local question.
PLAN_SLOTS, PLAN_HOURS = 160, 40
DRAW, FILL = PLAN_SLOTS, PLAN_SLOTS + PLAN_HOURS
PLAN_W = PLAN_SLOTS + 2 * PLAN_HOURS

# ---- world state, (world, slot, WORLD_W) and (world, RECENT_W) --------------------------------------------------------
SHIFT, SHIFT_KNOWN, CLEARED_UP, CLEARED_DN, LFM_PRICE = 0, 1, 2, 3, 4
WORLD_W = 5
RECENT_MTU = 4  # published MTU in the observation: imbalance, up, down price each, newest first
RECENT_LFM_PRICE = 12
RECENT_W = 13

# ---- compiled gates, int64 (gate, GATE_W) --------------------------------------------------------------------------------
KIND, LEDGER, MARKET, LEAD, COUNT, ALIGNED, SEES_SOLD, SEES_PENDING, SEES_OFFERED, ACTION, TARGET = range(11)
GATE_W = 11
PUBLISH, AUCTION, TRADE, OFFER, CLEAR, FORWARD = 0, 1, 2, 3, 4, 5  # gate kinds, in the order in which a tick takes them

# ---- compiled products, (market, PRODUCT_W) ---------------------------------------------------------------------------
MIN_MW, GRANULARITY_MW, PRICE_FLOOR, PRICE_CAP, THRESHOLD, UP_OPEN, DN_OPEN = range(7)
PRODUCT_W = 7

# ---- compiled rules, (RULES_W,) ---------------------------------------------------------------------------------------
FEE, PENALTY, KEEP_PAYMENT, CORRECT_LFM, DSO_SHARE, BLOCK_BALANCING, BLOCK_INTRADAY, POOLING = range(8)
FORWARD_PRICE, HAS_FORWARD, NEEDS_CONSENT, ID_HALF_SPREAD, TERMINAL_FACTOR = 8, 9, 10, 11, 12
NOT_ELIGIBLE = 13  # refusal code of a static requirement that the forwarded product fails, -1 if it fails none
RULES_W = 14
DSO_FIRST, TSO_FIRST, PRO_RATA = 0, 1, 2  # DSO_SHARE: who is served first when less is delivered than ordered
AT_MARGINAL, AS_BID, BETTER = 0, 1, 2  # FORWARD_PRICE

# ---- scratch, (1 or world, SCRATCH_ROWS, SCRATCH_W): shared by all worlds of a serial build -----------------------------
# The day plan: one row per hour.
HOUR_PRICE, HOUR_POWER, HOUR_CONTENT = 0, 1, 2
SCRATCH_ROWS, SCRATCH_W = 32, 3

ALL_LEDGERS = 7  # bit mask of LFM, MFRR and FORWARDED

# ---- what a call does with a world ------------------------------------------------------------------------------------
SKIP, STEP, RESTART, IDLE = 0, 1, 2, 3  # IDLE forgets the flows of the last tick, SKIP leaves everything as it is
