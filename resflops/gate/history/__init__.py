"""What the configured models cost over the history of a repository, and which commits changed it.

::

    range ──commits──▶ Commit … ──configurations──▶ Subject … ──pricing──▶ Outcome … ──steps──▶ History
                                                                  │ ▲
                         a process for each figure ──counting, recording──▶ Reads (what it was made from)

A figure is counted in a process of its own, from a clean checkout of the commit, and kept in the user's cache
together with all that the process read or looked for. At another commit where all of that is the same, so is
the figure; where it is not, it is counted. Only ``counting``, the program of these processes, imports torch.
"""
