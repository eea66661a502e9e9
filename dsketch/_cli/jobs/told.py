"""What there is to say of a job in a line."""

from dsketch._units import format_seconds
from dsketch.client import Document


def job_line(job: Document) -> str:
    """Return a job as a list has it."""
    ahead = f", {job['ahead']} before it" if job["ahead"] else ""
    name = f"  {job['name']}" if job["name"] else ""
    tags = f"  [{', '.join(job['tags'])}]" if job.get("tags") else ""
    word = job.get("word", job["state"])  # a service of before has none
    return (
        f"{job['id']}  {word:<11}  {job['spec']['problem']:<10}  {job['passes']} passes, {format_seconds(job['seconds'])}{ahead}"
        f"  {job['owner']}{name}{tags}"
    )


def state_text(told_of: Document) -> str:
    """Return the state of a job, or of a step of it, with its sentence."""
    state, sentence = told_of["state"], told_of["sentence"]
    if state in ("solved", "not_solved"):  # the sentence is that of the answer's status, which may be another word
        return str(sentence)
    return sentence if sentence.startswith(f"{state}:") else f"{state.replace('_', ' ')}: {sentence}"


def silence_text(job: Document) -> str:
    """Return the sentence for a job whose process has printed nothing."""
    so_far = " so far" if job["state"] in ("queued", "planning", "running", "interrupted") else ""
    return f"the job's process printed nothing{so_far}; {state_text(job)}"
