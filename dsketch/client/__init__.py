"""A client of the service: the verbs of ``dsketch jobs`` in Python.

::

    from dsketch import Client

    client = Client("http://solver:8750", token="…")
    job = client.submit(problem="ridge", A="A.zarr", b="b.zarr", alpha=0.5, name="tuesday")
    for event in client.follow(job["id"]):
        print(event["event"])
    x = client.fetch(job["id"])

``connection`` sends requests, ``sendable`` says what they can hold; the verbs stand in ``jobs``, ``answers``, ``uploads`` and ``admin``.
"""

from dsketch.client.admin import Admin
from dsketch.client.answers import Answers
from dsketch.client.connection import DEFAULT_URL, Document
from dsketch.client.jobs import Jobs, event_from
from dsketch.client.uploads import Uploads

__all__ = ["DEFAULT_URL", "Client", "Document", "event_from"]


class Client(Jobs, Answers, Uploads, Admin):
    """A service, from afar.

    Parameters
    ----------
    url : str, optional
        None: ``DSKETCH_URL`` of the environment, else http://127.0.0.1:8750.
    token : str, optional
        None: ``DSKETCH_TOKEN`` of the environment, if it is set.
    attempts : int
        How often a request that may be sent twice is sent while nobody answers (the service may be starting again).

    Raises
    ------
    SpecError
        If httpx is not installed (``pip install 'dsketch[service]'``).

    Notes
    -----
    Every verb raises what the service answered, as the error of dsketch that it names, and EngineError if the service cannot be
    reached.  A submit that got no answer is sent again under the same key, and makes one job.
    """

    def about(self) -> Document:
        """Return what the service offers: places of data, problems with their options."""
        return self._json("GET", "/v1/service")
