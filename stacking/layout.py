"""What is decided and what is seen: the action and observation layout as data (version 3).

The engine and all strategies use physical units; faces scale. Names, units, bounds and opening times are the same for
environments, heuristics, learned policies and reports. Everything in the observation is all that a strategy may read.
"""

from __future__ import annotations

from dataclasses import dataclass

from .columns import FORECAST_HOURS, LFM_FORECAST_HOURS

LAYOUT_VERSION = 3

# ---- actions ---------------------------------------------------------------------------------------------------------
DA_VOLUME_FRAC, DA_MIN_SPREAD, DA_END_CONTENT_FRAC, ID_POWER_FRAC = 0, 1, 2, 3
LFM_OFFER, MFRR_OFFER = 4, 8  # four columns each: share up, share down, price up, price down
LFM_SHARE_UP, LFM_SHARE_DN, LFM_PRICE_UP, LFM_PRICE_DN = 4, 5, 6, 7
MFRR_SHARE_UP, MFRR_SHARE_DN, MFRR_PRICE_UP, MFRR_PRICE_DN = 8, 9, 10, 11
CONSENT_UP, CONSENT_DN = 12, 13
ACTIONS_W = 14
CONSENTS = slice(CONSENT_UP, CONSENT_DN + 1)
LFM_PRICES, MFRR_PRICES = (-5000.0, 5000.0), (-10000.0, 10000.0)  # EUR/MWh that can be asked; a product may refuse some

# ---- observations: first column of each block ------------------------------------------------------------------------
TIME = 0  # 6: sin/cos hour, sin/cos year, weekend, remaining_frac
DA = TIME + 6  # 37: 36 hourly means (price or forecast) from the current hour on; number of them that is published
BALANCING = DA + FORECAST_HOURS + 1  # 13: imbalance, up, down price of the last 4 published MTU, newest first; need forecast t+3
LOCAL = BALANCING + 13  # 17: need forecast (8 h), willingness-to-pay forecast (8 h), last published local price
LOCAL_BLOCK_HOUR = 2  # hour from now of the block whose local gate closes on a full hour (T-120)
ASSET = LOCAL + 2 * LFM_FORECAST_HOURS + 1  # 43, see below
# 45: of the battery committed MW t..t+11, schedule now and at the next 23 full hours; sold local, forwarded, doubly sold MW
BOOK = ASSET + 43
RULES = BOOK + 45  # 11: own consent up and down, then 9 rules of the design
FORWARDED_ALL = RULES + 11  # 4: forwarded by all for t+3 where the design publishes it: MW up, down; best price up, down
TERMINAL = FORWARDED_ALL + 4  # 2
OBSERVATIONS_W = TERMINAL + 2

STORED_FRAC, MIN_CONTENT_FRAC, MAX_CONTENT_FRAC = ASSET, ASSET + 1, ASSET + 2
FEASIBLE_UP_MFRR, FEASIBLE_DN_MFRR = ASSET + 3, ASSET + 4  # MW at t+3
FEASIBLE_UP_LFM, FEASIBLE_DN_LFM = ASSET + 5, ASSET + 6  # MW at the local block, 0 where no local gate closes now
COST_UP, COST_DN = ASSET + 7, ASSET + 8  # EUR/MWh of the cheapest asset: wear or compensation; grid tariff and compensation
CAPACITY_MWH, RATED_MW, ROUND_TRIP_FRAC, CONTENT_MWH = ASSET + 9, ASSET + 10, ASSET + 11, ASSET + 12
EV_WANTED_MWH, EV_MUST_MW, EV_PLUGGED_MW, FLEET_RATED_MW = ASSET + 13, ASSET + 14, ASSET + 15, ASSET + 16
LOAD_OWED_MWH, LOAD_STARTS_LEFT, LOAD_RESTING_MTU, LOAD_FLEXIBLE_FRAC = ASSET + 17, ASSET + 18, ASSET + 19, ASSET + 20
# The same by asset, cheapest first (three columns each): kind (0 battery, 1 fleet, 2 load), cost of a MWh up and down, and
# feasible MW; offers are filled in this order. A MW that is not consumed now is bought later by a fleet, not by a load.
TIERS = 3
TIER_KIND, TIER_COST_UP, TIER_COST_DN = ASSET + 21, ASSET + 24, ASSET + 27
TIER_UP_MFRR, TIER_DN_MFRR, TIER_UP_LFM, TIER_DN_LFM = ASSET + 30, ASSET + 33, ASSET + 36, ASSET + 39
CONNECTION_MW = ASSET + 42

CONSENT_NOW_UP, CONSENT_NOW_DN = RULES, RULES + 1
RULE_FEE, RULE_MIN_MW, RULE_GRANULARITY_MW, RULE_SEES_SALES = RULES + 2, RULES + 3, RULES + 4, RULES + 5
RULE_DSO_FIRST, RULE_PENALTY, RULE_POOLING, RULE_CHANGES, RULE_REVOCABLE_H = range(RULES + 6, RULES + 11)
TERMINAL_PRICE_FORECAST, HOURS_TO_END = TERMINAL, TERMINAL + 1


@dataclass(frozen=True)
class Field:
    """One column: name, unit, bounds (inclusive) and when it is open or known."""

    name: str
    unit: str
    low: float
    high: float
    note: str = ""


@dataclass(frozen=True)
class Layout:
    """The columns of an action or observation in order."""

    fields: tuple[Field, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Return the column names."""
        return tuple(f.name for f in self.fields)

    @property
    def low(self) -> tuple[float, ...]:
        """Return the lower bounds."""
        return tuple(f.low for f in self.fields)

    @property
    def high(self) -> tuple[float, ...]:
        """Return the upper bounds."""
        return tuple(f.high for f in self.fields)


def action_layout(lfm_limits: tuple[float, float], mfrr_limits: tuple[float, float]) -> Layout:
    """Return the 14 decisions of a portfolio with the price limits (EUR/MWh) of the two products."""
    noon = "12:00 local, next local day inside the episode"
    local = "t+8 starts an hour and its block lies inside the episode (T-120)"
    balancing = "balancing gate of MTU t+3 inside the episode (T-45)"

    def offer(market: str, limits: tuple[float, float], when: str) -> tuple[Field, ...]:
        shares = tuple(Field(f"{market}_{d}_share_frac", "-", 0.0, 1.0, when) for d in ("up", "dn"))
        return shares + tuple(Field(f"{market}_{d}_price", "EUR/MWh", *limits, when) for d in ("up", "dn"))

    return Layout(
        (
            Field("da_volume_frac", "-", 0.0, 1.0, noon),
            Field("da_min_spread", "EUR/MWh", 0.0, 200.0, noon),
            Field("da_end_content_frac", "-", 0.0, 1.0, noon),
            Field("id_power_frac", "-", -1.0, 1.0, "MTU t+4 inside the episode (T-60); + sells, - buys"),
            *offer("lfm", lfm_limits, local),
            *offer("mfrr", mfrr_limits, balancing),
            *(
                Field(f"consent_{d}", "-", 0.0, 1.0, "where the design asks: local gates, gate of withdrawal; 0.5 or more: yes")
                for d in ("up", "dn")
            ),
        )
    )


def observation_layout() -> Layout:
    """Return what a strategy sees, in physical units."""
    price, power, inf = "EUR/MWh", "MW", float("inf")

    def free(names: list[str], unit: str, note: str) -> tuple[Field, ...]:
        return tuple(Field(n, unit, -inf, inf, note) for n in names)

    def unit_range(names: list[str], unit: str = "-", low: float = 0.0, high: float = 1.0) -> tuple[Field, ...]:
        return tuple(Field(n, unit, low, high) for n in names)

    hours = range(FORECAST_HOURS)
    local = range(LFM_FORECAST_HOURS)
    fields = (
        *unit_range(["hour_sin", "hour_cos", "year_sin", "year_cos"], low=-1.0),
        *unit_range(["weekend", "remaining_frac"]),
        *free([f"da_price_h{k}" for k in hours], price, "published hourly mean, else forecast"),
        Field("da_known_hours", "h", 0.0, 36.0, "how many of them are published"),
        *free(
            [f"{p}_price_lag{k}" for k in range(4) for p in ("imbalance", "mfrr_up", "mfrr_dn")],
            price,
            "last four published MTU, newest first",
        ),
        Field("need_forecast", power, -inf, inf, "balancing need at t+3, + = up"),
        *free([f"lfm_need_h{k}" for k in local], power, "forecast, + = up; h2 at a gate of the day before: tightest hour asked"),
        *free([f"lfm_limit_h{k}" for k in local], price, "forecast of the DSO's willingness to pay"),
        Field("lfm_last_price", price, -inf, inf, "dearest accepted local offer of the last published block, 0 if none"),
        *unit_range(["stored_frac"]),
        *free(
            ["min_content_frac", "max_content_frac"],
            "-",
            "content at the full hour behind t+11 if everything pending is (not) called",
        ),
        *(
            Field(n, power, 0.0, inf, "feasible given all own commitments")
            for n in ("feasible_up_mfrr_mw", "feasible_dn_mfrr_mw", "feasible_up_lfm_mw", "feasible_dn_lfm_mw")
        ),
        *free(["cost_up", "cost_dn"], price, "of the cheapest asset: wear or compensation; tariff and compensation"),
        Field("capacity_mwh", "MWh", 0.0, inf),
        Field("rated_mw", power, 0.0, inf),
        *unit_range(["round_trip_frac"]),
        Field("content_mwh", "MWh", 0.0, inf),
        Field("ev_wanted_mwh", "MWh", 0.0, inf, "energy that plugged cars still want"),
        Field("ev_must_mw", power, 0.0, inf, "charging that cannot wait"),
        Field("ev_plugged_mw", power, 0.0, inf, "power of plugged cars"),
        Field("fleet_rated_mw", power, 0.0, inf, "power of all charging points"),
        Field("load_owed_mwh", "MWh", 0.0, inf, "rebound energy owed"),
        Field("load_starts_left", "-", 0.0, inf, "activations left today"),
        Field("load_resting_mtu", "MTU", 0.0, inf, "resting time left"),
        *unit_range(["load_flexible_frac"]),
        *(Field(f"tier{k}_kind", "-", 0.0, 2.0, "0 battery, 1 fleet, 2 load; cheapest first") for k in range(TIERS)),
        *(Field(f"tier{k}_cost_{d}", price, 0.0, inf, "wear or compensation") for d in ("up", "dn") for k in range(TIERS)),
        *(
            Field(f"tier{k}_{d}_{m}_mw", power, 0.0, inf, "feasible, by asset")
            for m in ("mfrr", "lfm")
            for d in ("up", "dn")
            for k in range(TIERS)
        ),
        Field("connection_mw", power, 0.0, inf, "grid connection"),
        *free([f"committed_mw_t{k}" for k in range(12)], power, "schedule plus known activations"),
        *free(
            [f"schedule_mw_h{k}" for k in range(24)],
            power,
            "battery: day-ahead and intraday schedule of MTU t, then at the k-th full hour after t",
        ),
        *free(
            [f"{n}_mw_h{k}" for n in ("sold_local", "forwarded", "doubly_sold") for k in range(3)],
            power,
            "mean over MTU t+4k..t+4k+3, as known now, + = up",
        ),
        *unit_range(["consent_now_up", "consent_now_dn"]),
        Field("forward_fee", price, 0.0, inf),
        Field("forward_min_mw", power, 0.0, inf),
        Field("forward_granularity_mw", power, 0.0, inf),
        *unit_range(["sees_own_sales", "dso_first"]),
        Field("tso_penalty_factor", "-", 0.0, inf),
        *unit_range(["pooling"]),
        Field("forward_changes", "-", 0.0, 2.0, "balancing gate changes forwarded bids: 0 no, 1 price, 2 price and volume"),
        Field("consent_revocable_h", "h", 0.0, 3.0, "hours before a block until which consent can be withdrawn"),
        *(
            Field(f"forwarded_all_{d}_mw", power, 0.0, inf, "by everybody for t+3, where the design publishes it")
            for d in ("up", "dn")
        ),
        *free([f"forwarded_best_{d}_price" for d in ("up", "dn")], price, "cheapest up, dearest down of these; 0 if none"),
        Field("terminal_price_forecast", price, 0.0, inf),
        Field("hours_to_end", "h", 0.0, inf),
    )
    return Layout(fields)
