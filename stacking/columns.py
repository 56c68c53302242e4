"""Named columns of the engine's matrices: one float64 matrix per noun, columns by integer constants.

Directions: ``UP`` = 0, ``DN`` = 1. Ledgers: ``LFM`` = own local offers, ``MFRR`` = own balancing offers,
``FORWARDED`` = local offers that were passed on to the balancing market. A name in capitals ending in ``_W`` is a width.
"""

from __future__ import annotations

from .build import law

UP, DN = 0, 1

# ---- books and ledgers -------------------------------------------------------------------------------------------
LFM, MFRR, FORWARDED = 0, 1, 2
LEDGERS_W = 3
MARKETS_W = 2  # markets with a call auction: LFM and MFRR (forwarded offers clear in MFRR)

# ---- scenario library: exogenous series per MTU, (scenario, mtu, column) ------------------------------------------
# Balancing background of direction d starts at background_column(d): other people's supply is a stepwise curve from
# REF at 0 MW to ANCHOR at VOLUME (its shape is a parameter of the product); NEED is what the buyer wants to buy.
NEED, VOLUME, REF, ANCHOR, LIMIT = 0, 1, 2, 3, 4
BACKGROUND_W = 5
DA_PRICE = 10  # EUR/MWh of the MTU
IMBALANCE_PRICE = 11  # published single imbalance price, EUR/MWh
DOMINANT = 12  # dominating direction of the balancing area: +1 up, -1 down, 0 none
NEED_FORECAST = 13  # balancing need (MW, + = up) as forecast three MTU before this MTU
HOUR_SIN, HOUR_COS, YEAR_SIN, YEAR_COS, WEEKEND = 14, 15, 16, 17, 18
LOOK_S = 19  # seconds after the tick at which the TSO looks at a shared book for this MTU, 0 to 900
SERIES_W = 20

# ---- scenario library: local markets, (scenario, area, mtu, column) ------------------------------------------------
# Background of direction d starts at background_column(d). NEED is a signed margin: background load - limit, MW; negative
# where there is room.
LOCAL_W = 2 * BACKGROUND_W
ROOMY_MW = -1e6  # margin where nothing is known of a limit: no schedule can cause a need

# ---- scenario library: hourly forecasts of a local market, (scenario, area, column, hour) ---------------------------
LFM_NEED_FAR, LFM_NEED_NEAR = 0, 1  # forecast of the local need, MW, + = up: 4 to 8 hours ahead, up to 3 hours ahead
LFM_LIMIT_FAR, LFM_LIMIT_NEAR = 2, 3  # forecast of the DSO's willingness to pay, EUR/MWh
LOCAL_HOURLY_W = 4

# ---- scenario library: hourly series, (scenario, hour since the first tick, column) -------------------------------
DA_MEAN = 0  # realised hourly mean day-ahead price
DA_TWO_DAYS = 1  # forecast made at noon two days before delivery
DA_MIDNIGHT = 2  # forecast made at 00:00 of the day before delivery
DA_NOON = 3  # forecast made at 12:00 of the day before delivery (before the auction)
HOURLY_W = 4

# ---- scenario library: calendar, int64, (scenario, tick, column) ---------------------------------------------------
QUARTER = 0  # MTU of the hour, 0..3
DA_FIRST = 1  # tick of the first MTU of the delivery day whose day-ahead gate closes now, else -1
DA_COUNT = 2  # MTU of that day, else 0
KNOWN_HOURS = 3  # hours from the current one whose day-ahead price is published
NEXT_DAY_HOURS = 4  # hours from the current one to the end of the next local day
NEXT_DAY_FORECAST = 5  # column of the hourly series to read for the next local day: DA_MIDNIGHT or DA_NOON
DAY_LEFT = 6  # MTU of the local day that are left, this one included
HOUR_OF_DAY = 7  # local hour, 0..23
CALENDAR_W = 8

# ---- scenario library: scalars, (scenario, column) -----------------------------------------------------------------
TERMINAL_PRICE = 0  # max(0, mean day-ahead price of the 24 h after the end), EUR/MWh
TERMINAL_FORECAST = 1  # what the FSP expects it to be
BACKGROUND_PRIORITY = 2  # tie-break of background offers, 0..1, lower goes first
SCALARS_W = 3

# ---- scenario library, sites: charging sessions and loads of portfolios --------------------------------------------
# One session of a charging point, float64 (session, column); the sessions of a point follow each other without overlap.
ARRIVAL = 0  # first tick at which the car is plugged in (0 if it was there before)
DEPARTURE = 1  # first tick at which it is gone (may lie behind the end of the episode)
ENERGY_MWH = 2  # wanted from ARRIVAL to DEPARTURE, at the meter
POWER_MW = 3  # largest power of car and charging point
V2G_MWH = 4  # energy below the content at arrival that the driver lets be taken out; 0 = one-way
SESSION_W = 5
# Hourly forecast of a fleet, known from the start, MW >= 0 of consumption, (scenario, fleet, hour, column).
AT_ONCE = 0  # every car is charged as soon as it arrives
LATEST = 1  # every car is charged as late as its departure allows
FLEET_W = 2

FORECAST_HOURS = 36  # hours of day-ahead price or forecast in the observation
LFM_FORECAST_HOURS = 8
LFM_NEAR_HOURS = 4  # hours 0..3 read the near forecast, 4..7 the far one


@law
def background_column(direction: int) -> int:
    """Return the first column of other people's supply and need in a direction, in the matrix of one market."""
    return direction * BACKGROUND_W
