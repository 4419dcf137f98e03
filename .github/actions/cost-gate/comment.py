"""Write the cost gate's verdict into its own comment on a pull request: the one that it has, or a new one.

The comment is known by a hidden marker, and by being this token's own: comments of others, and of other
workflows under the same name, are never edited.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# GraphQL, because only it tells which comments the token itself has written.
COMMENTS = """
query($owner: String!, $name: String!, $number: Int!, $endCursor: String) {
  repository(owner: $owner, name: $name) {
    pullRequest(number: $number) {
      comments(first: 100, after: $endCursor) {
        nodes { databaseId body viewerDidAuthor }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
}
"""

LONGEST_BODY = 60_000
"""GitHub takes some 65,000 characters."""


def main() -> int:
    """Write the report that the arguments name; the environment says where to."""
    report, directory, config = sys.argv[1:]
    repository, number = os.environ["REPOSITORY"], os.environ["PULL_REQUEST"]
    # What a browser does not show. A repository may have several gates, each with a comment of its own.
    marker = f"<!-- resflops cost gate: {' '.join(filter(None, (directory, config)))} -->"
    body = f"{marker}\n{shorten(Path(report).read_text(encoding='utf-8'))}"
    owner, _, name = repository.partition("/")
    pages = run_gh(
        "graphql", "--paginate", "-f", f"query={COMMENTS}",
        "-f", f"owner={owner}", "-f", f"name={name}", "-F", f"number={number}",
    )  # fmt: skip
    own = next((comment for comment in list_own(pages) if comment["body"].startswith(marker)), None)
    if own is None:
        place, method = f"repos/{repository}/issues/{number}/comments", "POST"
    else:
        place, method = f"repos/{repository}/issues/comments/{own['databaseId']}", "PATCH"
    run_gh(place, "--method", method, "--input", "-", given=json.dumps({"body": body}))
    return 0


def run_gh(*arguments: str, given: str = "") -> str:
    """Ask GitHub by its command line, and return the answer."""
    done = subprocess.run(  # noqa: S603 - what comes from outside is an argument, and never a command
        ["gh", "api", *arguments],  # noqa: S607 - whichever the runner has
        input=given,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
    )
    return done.stdout


def list_own(pages: str) -> Iterator[dict[str, Any]]:
    """List the token's own comments; the answer is one JSON document a page, one after the other."""
    decoder, text = json.JSONDecoder(), pages.strip()
    while text:
        page, end = decoder.raw_decode(text)
        text = text[end:].lstrip()
        for comment in page["data"]["repository"]["pullRequest"]["comments"]["nodes"]:
            if comment["viewerDidAuthor"]:
                yield comment


def shorten(report: str) -> str:
    """Cut a report that is too long for a comment, at the end of a line."""
    if len(report) <= LONGEST_BODY:
        return report
    kept = report[:LONGEST_BODY].rpartition("\n")[0]
    return f"{kept}\n\nThe rest is in the summary of the job.\n"


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as error:
        sys.stderr.write(error.stderr)
        sys.exit(1)
