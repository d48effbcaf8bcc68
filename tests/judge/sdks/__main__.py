"""The vendors' official SDKs as judges of requests and as makers of answers.

`python sdks requests` reads one request per line of standard input (JSON) and writes one line per problem, then a line
with what was judged. `python sdks answers` writes one answer per line. Both lists are the same at every run.
"""

import json
import sys
from importlib.metadata import version

import strict  # before everything else that loads the SDKs  # noqa: F401, I001

import corpus
import judged


def judge_requests():
    counts = {}
    for line in sys.stdin:
        request = json.loads(line)
        vendor = request["vendor"]
        counts[vendor] = counts.get(vendor, 0) + 1
        for problem in problems(request):
            print(json.dumps({"case": request["case"], "problem": problem}))
    sdks = {name: version(name) for name in ("openai", "anthropic", "google-genai", "ollama", "voyageai")}
    print(json.dumps({"judged": counts, "sdks": sdks}))


def problems(request):
    try:
        yield from judged.JUDGES[request["vendor"]](request)
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        yield f"so odd that it cannot be judged: {error!r}"


def make_answers():
    for answer in corpus.answers():
        print(json.dumps(answer))


if __name__ == "__main__":
    {"requests": judge_requests, "answers": make_answers}[sys.argv[1]]()
