"""Who takes part in a run; environments choose them in the same way."""

from ..agents.players import MIXED as MIXED
from ..agents.players import Mixed as Mixed
from ..agents.players import Players as Players
from ..agents.players import chosen_players as chosen_players
from ..agents.players import mixed_strategies as mixed_strategies
from ..agents.players import population_and_count as population_and_count
