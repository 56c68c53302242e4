"""Constants of time and the project's one sign convention.

Power is in MW, energy in MWh, money in EUR, prices in EUR/MWh; the unit is in the name. Positive power is injection
into the grid (less consumption counts as positive); up-regulation is positive; cash is positive when the FSP receives it.
Fractions end in ``_frac``. Times are UTC inside and local time at the edges.
"""

MTU_MIN = 15
"""Length of one market time unit (MTU) in minutes; the clock ticks once per MTU."""

MTU_H = 0.25
"""Length of one MTU in hours: energy_mwh = power_mw * MTU_H."""

MTU_PER_HOUR = 4
"""MTU in one hour, the block of the hourly local product."""

HOURS_PER_YEAR = 8760.0
"""Hours of a normal year, for revenue per kW-year."""

POWER_EPSILON_MW = 1e-9
"""Below this a volume is nothing: it separates rounding noise from trades."""
