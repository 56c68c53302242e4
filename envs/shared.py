"""Parameter sharing: several FSPs of each world as rows of one vector environment, so that one network decides for all of them.

Portfolios differ, and what a network sees is relative to the connection and the battery: it finds the absolute size in what
markets ask for, such as the minimum of a forwarded bid divided by its own connection.
"""

from __future__ import annotations

from stacking.errors import StackingError

from .scene import build_scene
from .vector import StackingVectorEnv
from .worlds import Worlds


class SharedVectorEnv(StackingVectorEnv):
    """A vector environment whose row b * L + l is learner l of world b; the learners of a world begin and end together.

    Learners are `settings["learners"]`, or all FSPs that no co-player decides for, in row order of the network. World b is seeded
    with the seed of its first row. `Sb3VecEnv` takes it as it is. With one world it is `StackingParallelEnv`, bit for bit.

    Args:
        num_envs: rows, a multiple of the number of learners.
        config, autoreset_mode, render_mode, settings: as for `StackingVectorEnv`.

    Raises:
        StackingError: for bad settings, or rows that are no such multiple.
    """

    def _made(self) -> Worlds:
        """Return the worlds: one for as many rows as FSPs learn."""
        scene = build_scene(self.config, everybody=True)
        learners, names = len(scene.learners), [scene.portfolios[row].name for row in scene.learners]
        if self.num_envs % learners:
            raise StackingError("The rows are no whole number of worlds.", place="environment", key="num_envs",
                                value=self.num_envs, allowed=f"a multiple of {learners}: {', '.join(names[:20])} learn",
                                remedy=f"Use {max(1, round(self.num_envs / learners)) * learners} rows.")  # fmt: skip
        return Worlds(self.config, self.num_envs // learners, everybody=True)
