"""How many threads a search takes.

OpenMP, by which Faiss searches, keeps the number by thread: what the main thread was told does not
hold in the one that searches. Where there are too many they wait for each other turning, which
costs several times what a search does.
"""

import os
import sys

import faiss
from threadpoolctl import threadpool_limits

from smar.service.http.settings import Settings


def threads_of(settings: Settings) -> int:
    """Return the threads of a search in each process: as asked, or the processors by processes."""
    return settings.threads or max(1, len(os.sched_getaffinity(0)) // settings.workers)


def limit_process(threads: int) -> None:
    """Give the libraries of this process so many threads, and numpy's products one.

    Torch looks at the environment where it is loaded later; with a graph it never is. Products of a
    search are small, and the threads of BLAS go on turning for a while after each. Queries have
    their tokens in less time than it takes to wake a thread.
    """
    os.environ["OMP_NUM_THREADS"] = str(threads)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
    threadpool_limits(limits=1, user_api="blas")
    limit_thread(threads)


def limit_thread(threads: int) -> None:
    """Have Faiss take so many threads for what the calling thread asks of it."""
    faiss.omp_set_num_threads(threads)
