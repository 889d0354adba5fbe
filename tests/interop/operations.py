"""What Python's client can write, one call after the other, against the Hub in HF_ENDPOINT with the token in HF_TOKEN (user "me").

Run with the reference's Python: operations.py SCRATCH PREFIX. Ends with an assertion, or prints "all right".
"""
import io
import os
import pathlib
import sys
import time

from huggingface_hub import (CommitOperationAdd, CommitOperationCopy, CommitOperationDelete, CommitScheduler, HfApi, HfFileSystem,
                             ModelCard, hf_hub_download, metadata_update)
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

api, work, repo = HfApi(), pathlib.Path(sys.argv[1]), f"me/{sys.argv[2]}r"
data = f"me/{sys.argv[2]}d"


def raises(cls, call, *args, **more):
    try:
        call(*args, **more)
    except cls:
        return
    raise AssertionError(f"{call.__name__} did not raise {cls.__name__}")


def has(*names, **more):
    files = set(api.list_repo_files(repo, **more)) - {".gitattributes"}
    assert files == set(names), files


def put(path, text=b"x", **more):
    return api.upload_file(path_or_fileobj=text, path_in_repo=path, repo_id=repo, **more)


def commit(*operations, **more):
    return api.create_commit(repo, operations, commit_message="a commit", **more)


big = os.urandom(3500000)
api.create_repo(repo)
commit(CommitOperationAdd("a.txt", b"a"), CommitOperationAdd("big.bin", big), CommitOperationAdd("d/e.txt", io.BytesIO(b"e")),
       commit_description="of several files")
commit(CommitOperationCopy("a.txt", "b.txt"), CommitOperationCopy("big.bin", "big2.bin"))
has("a.txt", "b.txt", "big.bin", "big2.bin", "d/e.txt")
assert pathlib.Path(hf_hub_download(repo, "big2.bin", cache_dir=work / "c")).read_bytes() == big
commit(CommitOperationDelete("b.txt"), CommitOperationDelete("d/"))
head = api.repo_info(repo).sha
put("p.txt", parent_commit=head)
raises(HfHubHTTPError, put, "q.txt", parent_commit=head)
has("a.txt", "big.bin", "big2.bin", "p.txt")

api.create_branch(repo, branch="dev")
put("x.txt", revision="dev")
api.create_branch(repo, branch="v2", revision="dev")
raises(HfHubHTTPError, api.create_branch, repo, branch="v2")
has("a.txt", "big.bin", "big2.bin", "p.txt", "x.txt", revision="v2")
assert put("x.txt", create_pr=True).pr_url.endswith("/discussions/1")
number = api.create_pull_request(repo, title="Another", description="D").num
put("y.txt", revision=f"refs/pr/{number}")
assert api.get_discussion_details(repo, number).status == "draft"
api.change_discussion_status(repo, number, "open")
api.merge_pull_request(repo, number)
has("a.txt", "big.bin", "big2.bin", "p.txt", "y.txt")
api.create_tag(repo, tag="t1", tag_message="hi")
refs = api.list_repo_refs(repo, include_pull_requests=True)
assert {b.name for b in refs.branches} == {"main", "dev", "v2"} and len(refs.pull_requests) == 2 and refs.tags[0].name == "t1"
api.delete_branch(repo, branch="v2")

folder = work / "folder"
(folder / "sub").mkdir(parents=True)
for name, text in {"README.md": b"---\nlicense: mit\n---\n", "sub/x.txt": b"x", "l.bin": os.urandom(2500000), ".gitignore": b"*.log\n",
                   "z.log": b"z"}.items():
    (folder / name).write_bytes(text)
api.upload_folder(repo_id=repo, folder_path=folder, path_in_repo="in", delete_patterns=["*.log"], ignore_patterns=["l*"])
api.upload_folder(repo_id=repo, folder_path=folder, delete_patterns="*.bin")
has(".gitignore", "README.md", "a.txt", "in/.gitignore", "in/README.md", "in/sub/x.txt", "in/z.log", "l.bin", "p.txt", "sub/x.txt",
    "y.txt")
assert api.upload_folder(repo_id=repo, folder_path=folder / "sub", create_pr=True, commit_message="By a request", path_in_repo="new").pr_url
api.delete_files(repo, ["in/*"])
api.delete_folder("sub", repo)
api.delete_file("README.md", repo)
api.super_squash_history(repo, commit_message="all of it")
assert [c.title for c in api.list_repo_commits(repo)] == ["all of it"]
has(".gitignore", "a.txt", "l.bin", "p.txt", "y.txt")

api.create_repo(data, repo_type="dataset")
api.create_commit(data, [CommitOperationCopy("l.bin", "l2.bin", src_repo_id=repo, src_repo_type="model")], repo_type="dataset",
                  commit_message="from another repo")
copied = pathlib.Path(hf_hub_download(data, "l2.bin", repo_type="dataset", cache_dir=work / "c")).read_bytes()
assert copied == (folder / "l.bin").read_bytes()
api.preupload_lfs_files(repo, [CommitOperationAdd("pre.bin", os.urandom(1500000))])
api.permanently_delete_lfs_files(repo, [f for f in api.list_lfs_files(repo) if f.filename == "big.bin"])
logs = work / "logs"
logs.mkdir()
(logs / "log.txt").write_text("one\n")
scheduler = CommitScheduler(repo_id=data, repo_type="dataset", folder_path=logs, every=0.02, path_in_repo="data")
for wanted in ("one\n", "one\ntwo\n"):
    (logs / "log.txt").write_text(wanted)
    for _ in range(200):
        time.sleep(0.2)
        if "data/log.txt" in api.list_repo_files(data, repo_type="dataset") and wanted == pathlib.Path(
                hf_hub_download(data, "data/log.txt", repo_type="dataset", cache_dir=work / "c")).read_text():
            break
    else:
        raise AssertionError("the scheduler did not commit")
scheduler.stop()
files = HfFileSystem()
with files.open(f"datasets/{data}/fs.txt", "w") as out:
    out.write("fs")
files.cp(f"datasets/{data}/fs.txt", f"datasets/{data}/fs2.txt")
files.rm(f"datasets/{data}/fs.txt")
assert sorted(n.rsplit("/", 1)[1] for n in files.ls(f"datasets/{data}", detail=False)) == [".gitattributes", "data", "fs2.txt", "l2.bin"]
api.duplicate_repo(repo, repo + "2")
ModelCard("---\nlicense: mit\n---\n# x").push_to_hub(repo + "2")
metadata_update(repo + "2", {"tags": ["x"]})
assert api.model_info(repo + "2").card_data.tags == ["x"]

raises(HfHubHTTPError, HfApi(token="hf_reader").upload_file, path_or_fileobj=b"x", path_in_repo="x", repo_id=repo)
raises(RepositoryNotFoundError, api.upload_file, path_or_fileobj=b"x", path_in_repo="x", repo_id="me/nothing")
raises(RevisionNotFoundError, put, "x", revision="nowhere")
raises(ValueError, put, "README.md", b"---\nlicense: [\n---\n")
raises(ValueError, put, "../x")
api.move_repo(repo, repo + "3")
api.delete_repo(repo + "3")
raises(RepositoryNotFoundError, api.repo_info, repo + "3")
print("all right")
