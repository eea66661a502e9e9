"""dsketch as a service: submit, watch, cancel, resume and fetch solves over HTTP.

::

    POST   /v1/plans                     {spec}             how a run would be made; solves nothing
    POST   /v1/jobs                      {spec, name, tags} 201; header Idempotency-Key: the same request again gives the same job
    GET    /v1/jobs                      ?state=&search=&tag=&order=&after=&limit=   {jobs, next, counts}, newest first
    PATCH  /v1/jobs/{id}                 {tags}             gives it these in place of its own
    GET    /v1/jobs/{id}                                    state, sentence, progress, plan, history
    GET    /v1/jobs/{id}/events                             server-sent events; header Last-Event-ID to go on
    POST   /v1/jobs/{id}/cancel                             answers when the job has ended
    POST   /v1/jobs/{id}/resume                             of a failed or cancelled job: after its last recorded pass, same bits
    GET    /v1/jobs/{id}/solution                           status, certificate, ledger, where x is
    GET    /v1/jobs/{id}/receipt                            of a finished job, signed by the service
    GET    /v1/jobs/{id}/solution/x                         .npy of any size, or the part that Range asks for
    GET    /v1/jobs/{id}/solution/fields/{name}             .npy of an array, of answers that have several, as x
    DELETE /v1/jobs/{id}                                    of a job that rests
    POST   /v1/uploads                   ?name=, file as body   201; a run names it as upload:NAME and a column as upload:NAME#COLUMN
    GET    /v1/uploads                                      yours, and the quota
    DELETE /v1/uploads/{name}                               of one that no job is about to read
    GET    /v1/data                      ?place=&prefix=&after=&limit=   what lies in a folder that runs may read
    GET    /v1/data/facts                ?place=            shape, dtype, chunks, bytes, names of columns of a matrix
    GET    /v1/tokens, /v1/owners                           for admins: who may come in, who uses what
    POST   /v1/tokens                    {owner, role, label, days}   201; the token, told this once
    PATCH  /v1/tokens/{id}               {days}             it ends so many days from now; DELETE revokes it
    GET    /v1/service                                      places of data, problems with their words, who you are
    GET    /healthz, /readyz, /metrics, /docs, /openapi.json, /      (the web page)

The document of a run, ``spec``, is the same for Python, the command line and HTTP (:mod:`dsketch.service.specs`).  Every error is
``{error, message, found, try}`` (:mod:`dsketch.service.errors`).

How it holds together, lowest first:

========================== =====================================================================================
``labels errors specs``    words: the tree of errors, the state machine, the document of a run
``files folder formats``   a folder a job is the truth; who may look into the state directory, which versions can read it
``index store``            an SQLite index finds the folders
``events metrics``         what happens, as it happens
``places rooted``          what may be read; files that are looked at when they are opened
``browse data_facts``      folders listed; matrices told from their metadata
``tokens auth token_use``  by whom, and when each token was last used
``upload_* uploads``       files that owners send: names, a look at what they are, the folder, the matrix made of one
``limits hidden``          what a job may use by default; texts without addresses of clusters
``queue``                  whose turn it is
``meter job_* attempt``    how much a job may read; its process (``job_process``: what it is to do ``job_work``, predictions
                           ``job_predict``, the answer put in place ``job_answer``); who watches it
``workers dispatch``       the cluster; jobs from the queue to their end
``keeping plans ready``    ended jobs go; plans that somebody waits for; whether all that is well
``*_api``                  the verbs: of jobs, of their answers, of tokens and owners
``middleware access``      limits, hosts and headers; a line a request; ``protocol`` does not wait for ever
``app logs serve``         routes; the log; all of it together
========================== =====================================================================================

Guarantees: kill the service at any moment and start it again: no accepted job is lost, none runs twice to its end, each goes on after
its last recorded pass with the same bits, and no half-written answer is served.  A job cannot end the service: it runs in a process of
its own.  Nobody's slow request keeps another one waiting: plans, and verbs that end something, have threads and places of their own.
"""
