/* hf_hub.h - the Hugging Face Hub for C: download files and snapshots, read a range, upload, look at repos. Every function blocks;
 * run it on a thread of yours, or start the same operation with hf_op_start() of hfcore.h to be told of its end.
 * Complete programs are examples/hub_tour.c and examples/publish.c.
 *
 *   hf_runtime *rt;
 *   if (hf_runtime_new(NULL, &rt)) { fprintf(stderr, "%s\n", hf_runtime_problem()); return 1; }
 *   struct hf_hub_result *r;
 *   if (hf_hub_download(rt, "openai-community/gpt2", "config.json", NULL, &r))
 *     fprintf(stderr, "%s\n", r ? r->error->message : "out of memory");
 *   else
 *     puts(r->path);
 *   hf_hub_result_free(r);
 *   hf_runtime_free(rt);
 *
 * Where files go, which token is sent, offline mode, timeouts and proxies come from the runtime's configuration, which
 * reads the environment as Python's huggingface_hub does (HF_HOME, HF_HUB_CACHE, HF_TOKEN, HF_ENDPOINT, HF_HUB_OFFLINE
 * ...); files are shared with it in both directions. */
#ifndef HF_HUB_H
#define HF_HUB_H
#include <hfcore.h>
#ifdef __cplusplus
extern "C" {
#endif

/* What a call may say beyond its arguments. Zero it and set struct_size; NULL is the same as all zero. Pointers are used
 * during the call only. */
struct hf_hub_opts {
  uint32_t struct_size;
  uint32_t flags;           /* HF_HUB_* */
  const char *repo_type;    /* "model" (default), "dataset", "space", "kernel" */
  const char *revision;     /* branch, tag, "refs/pr/1" or commit; NULL: "main" */
  const char *token;        /* NULL: the saved one; "": none */
  const char *cache_dir;    /* NULL: HF_HUB_CACHE */
  const char *local_dir;    /* put the files there, under their own names, instead of into the cache */
  const char *library;      /* "mylib/1.2": told to the server in the user agent */
  const char *const *allow; /* patterns as of Python's fnmatch, NULL-terminated; NULL: every file */
  const char *const *ignore;
  const char *expand; /* info, lists: comma-separated properties to return */
  const char *path;   /* hf_list_repo_tree: folder; NULL: the root */
  const char *search, *author, *filter,
      *sort;            /* lists; sort: created_at, downloads, last_modified, likes, trending_score */
  uint64_t limit;       /* lists: at most so many, 0: all */
  uint32_t max_workers; /* files at once, 0: 8 */
  uint32_t reserved;
  const struct hf_watch *watch; /* progress, deadline, options of this call; records are not passed on */
  /* Commits and uploads. */
  const char *message, *description; /* NULL: said by what is done; none */
  const char *parent_commit;         /* must still be the newest one, else HF_ECONFLICT or HF_EHTTP 412 */
  const char *const *remove;         /* hf_upload_folder: patterns of files to delete in the same commit */
};
enum {
  HF_HUB_FORCE = 1,        /* download again what is there */
  HF_HUB_LOCAL_ONLY = 2,   /* no request: what is there, or LocalEntryNotFoundError */
  HF_HUB_RECURSIVE = 4,    /* hf_list_repo_tree: folders below too */
  HF_HUB_EXPAND = 8,       /* hf_list_repo_tree: last commit and security state of each entry */
  HF_HUB_PULLS = 16,       /* hf_list_repo_refs: pull requests too */
  HF_HUB_DRY_RUN = 32,     /* hf_cache_delete: only tell what would be done */
  HF_HUB_CREATE_PR = 64,   /* commits: open a pull request */
  HF_HUB_ONE_COMMIT = 128, /* hf_upload_folder: all or nothing, however many files */
  HF_HUB_EXIST_OK = 256,   /* creating what is there is fine */
  HF_HUB_MISSING_OK = 512, /* deleting what is not there is fine */
  HF_HUB_PRIVATE = 1024    /* hf_repo_create: only for its owners */
};

/* What a call gives back; owned by the caller, ended by hf_hub_result_free(). Members that do not belong to the call are
 * NULL. After a failure only `error` is set; *result is NULL only when there is no memory for it. */
struct hf_hub_result {
  uint32_t struct_size, reserved;
  const struct hf_error *error; /* NULL on success */
  const char *path;             /* downloads: the file, or the folder of the snapshot */
  const char *json; /* info: an object; lists: an array; keys as in Python's data classes, absent ones left out */
  size_t json_len;
  const char *id, *sha; /* info: the repo's own id and commit */
  const void *data;     /* hf_read_range: the bytes, with a NUL behind them */
  size_t len;
  const char *page; /* commits: the address of the commit; sha is its id, json says all */
};
HF_EXPORT void hf_hub_result_free(struct hf_hub_result *); /* NULL is fine */

/* One file: from the cache when the revision is a commit that is there (no request), else asked for, verified and put
 * into the cache. Fails with HF_ENOTFOUND (RepositoryNotFoundError, RevisionNotFoundError, RemoteEntryNotFoundError,
 * LocalEntryNotFoundError), HF_EAUTH, HF_EGATED, HF_ENOSPACE (before the first byte), HF_EDIGEST ... */
HF_EXPORT hf_status hf_hub_download(hf_runtime *, const char *repo_id, const char *filename, const struct hf_hub_opts *,
                                    struct hf_hub_result **);
/* All files of a revision, or those that the patterns choose; path is the folder that shows them. What is complete is not
 * asked for again; a commit that is complete makes no request at all. Without the network the local copy is the answer
 * when it is complete, else IncompleteSnapshotError. */
HF_EXPORT hf_status hf_snapshot_download(hf_runtime *, const char *repo_id, const struct hf_hub_opts *,
                                         struct hf_hub_result **);
/* Bytes [offset, offset+len) of a file, at most 64 MiB, without storing it; fewer at the end of the file. A file in Xet is read
 * by the chunks that make up the range, any other one (and that one where Xet does not work) by HTTP. They are not verified: the
 * Hub names digests of whole files only, and in the middle of a Xet file nothing is proof but a xorb that was read whole (those
 * are). Verified bytes are those of hf_hub_download(). */
HF_EXPORT hf_status hf_read_range(hf_runtime *, const char *repo_id, const char *filename, uint64_t offset, size_t len,
                                  const struct hf_hub_opts *, struct hf_hub_result **);

/* ---- uploads: the repo must be there ----------------------------------------------------------------------------------- */

/* One operation of a commit. Zero it, set struct_size and kind. */
struct hf_commit_op {
  uint32_t struct_size, kind; /* HF_COMMIT_* */
  const char *path;           /* in the repo */
  /* HF_COMMIT_ADD, one of: a local file; bytes; a function that gives `size` bytes by offset, possibly more than once (every
   * byte is read twice: to know it, and to send it) and from several threads at once. */
  const char *file;
  const void *data;
  size_t len;
  hf_status (*read)(void *arg, void *buf, size_t len, uint64_t off, size_t *got);
  void *arg;
  uint64_t size;
  /* HF_COMMIT_COPY: a file of the same repo (src_repo_id NULL) or another; revision NULL: the commit's branch, or main. */
  const char *src_path, *src_repo_id, *src_repo_type, *src_revision;
};
enum { HF_COMMIT_ADD = 1, HF_COMMIT_DELETE = 2, HF_COMMIT_DELETE_FOLDER = 3, HF_COMMIT_COPY = 4 };

/* One commit of many operations (rows: struct hf_commit_op), or none at all. Files that the repo has as they are, and those
 * that its .gitignore names, are left out; what is left without operations makes no commit, and sha is the newest one.
 * Large files go by Git LFS, small ones into the commit. Fails with HF_ECONFLICT when a file changes while it is read or
 * sent, HF_EINVAL for paths that no repo can hold, before the first request. */
HF_EXPORT hf_status hf_create_commit(hf_runtime *, const char *repo_id, struct hf_table ops, const struct hf_hub_opts *,
                                     struct hf_hub_result **);
/* One file as a commit; path NULL: its own name, at the root. */
HF_EXPORT hf_status hf_upload_file(hf_runtime *, const char *repo_id, const char *file, const char *path,
                                   const struct hf_hub_opts *, struct hf_hub_result **);
/* The files of a folder that allow and ignore choose, below `path` (NULL: the root), in as many commits as it takes. What was
 * interrupted goes on when it is called again: unchanged files are not read, parts that are there not sent. */
HF_EXPORT hf_status hf_upload_folder(hf_runtime *, const char *repo_id, const char *folder, const char *path,
                                     const struct hf_hub_opts *, struct hf_hub_result **);

/* One repo; repo_type of the options does not matter. */
HF_EXPORT hf_status hf_model_info(hf_runtime *, const char *repo_id, const struct hf_hub_opts *,
                                  struct hf_hub_result **);
HF_EXPORT hf_status hf_dataset_info(hf_runtime *, const char *repo_id, const struct hf_hub_opts *,
                                    struct hf_hub_result **);
HF_EXPORT hf_status hf_space_info(hf_runtime *, const char *repo_id, const struct hf_hub_opts *,
                                  struct hf_hub_result **);
/* Many repos: an array of the same objects, pages fetched as needed. */
HF_EXPORT hf_status hf_list_models(hf_runtime *, const struct hf_hub_opts *, struct hf_hub_result **);
HF_EXPORT hf_status hf_list_datasets(hf_runtime *, const struct hf_hub_opts *, struct hf_hub_result **);
HF_EXPORT hf_status hf_list_spaces(hf_runtime *, const struct hf_hub_opts *, struct hf_hub_result **);

/* Files and folders of a revision: files have path, size, blob_id, lfs, xet_hash; folders path and tree_id. */
HF_EXPORT hf_status hf_list_repo_tree(hf_runtime *, const char *repo_id, const struct hf_hub_opts *,
                                      struct hf_hub_result **);
/* {"branches":[{"name","ref","target_commit"}],"converts":[..],"tags":[..],"pull_requests":[..]} */
HF_EXPORT hf_status hf_list_repo_refs(hf_runtime *, const char *repo_id, const struct hf_hub_opts *,
                                      struct hf_hub_result **);
/* Newest first: commit_id, authors, created_at, title, message. */
HF_EXPORT hf_status hf_list_repo_commits(hf_runtime *, const char *repo_id, const struct hf_hub_opts *,
                                         struct hf_hub_result **);

/* ---- the cache ---------------------------------------------------------------------------------------------------------- */

/* What the cache holds, without network: {"size_on_disk", "repos": [{"repo_id", "repo_type", "repo_path", "size_on_disk",
 * "nb_files", "last_accessed", "last_modified", "refs", "revisions": [{"commit_hash", "snapshot_path", "size_on_disk",
 * "last_modified", "refs", "files": [{"path", "size_on_disk"}]}]}], "incomplete_files", "unreferenced_shared_blobs",
 * "warnings"}; times in seconds since 1970. cache_dir of the options names it. Fails with HF_ENOTFOUND (CacheNotFound). */
HF_EXPORT hf_status hf_cache_scan(hf_runtime *, const struct hf_hub_opts *, struct hf_hub_result **);
/* Removes repos ("model/ns/name" or hf:// address), files in all revisions (hf:// address) or revisions (commit) from the
 * cache; targets end with NULL. Nobody is asked. Bytes that something else shows, or that a running download uses, stay.
 * {"repos", "revisions", "files", "freed", "missing": [..]}; with HF_HUB_DRY_RUN that is what would be done. */
HF_EXPORT hf_status hf_cache_delete(hf_runtime *, const char *const *targets, const struct hf_hub_opts *,
                                    struct hf_hub_result **);

/* ---- owning repos --------------------------------------------------------------------------------------------------------- */

/* Whose the token is: json is what the server says of the account, id its name. LocalTokenNotFoundError without one. */
HF_EXPORT hf_status hf_whoami(hf_runtime *, const struct hf_hub_opts *, struct hf_hub_result **);
/* A new repo "ns/name", or "name" in the token's own namespace; id: its full name. HF_HUB_PRIVATE, HF_HUB_EXIST_OK. */
HF_EXPORT hf_status hf_repo_create(hf_runtime *, const char *repo_id, const struct hf_hub_opts *,
                                   struct hf_hub_result **);
/* For ever, and without asking. HF_HUB_MISSING_OK. */
HF_EXPORT hf_status hf_repo_delete(hf_runtime *, const char *repo_id, const struct hf_hub_opts *,
                                   struct hf_hub_result **);
HF_EXPORT hf_status hf_repo_move(hf_runtime *, const char *from_id, const char *to_id, const struct hf_hub_opts *,
                                 struct hf_hub_result **);
/* Begins at the revision of the options. HF_HUB_EXIST_OK. */
HF_EXPORT hf_status hf_branch_create(hf_runtime *, const char *repo_id, const char *branch, const struct hf_hub_opts *,
                                     struct hf_hub_result **);
HF_EXPORT hf_status hf_branch_delete(hf_runtime *, const char *repo_id, const char *branch, const struct hf_hub_opts *,
                                     struct hf_hub_result **);
/* Of the revision of the options; message may be NULL. */
HF_EXPORT hf_status hf_tag_create(hf_runtime *, const char *repo_id, const char *tag, const char *message,
                                  const struct hf_hub_opts *, struct hf_hub_result **);
HF_EXPORT hf_status hf_tag_delete(hf_runtime *, const char *repo_id, const char *tag, const struct hf_hub_opts *,
                                  struct hf_hub_result **);

/* ---- for programs that talk to people -------------------------------------------------------------------------------- */

/* The sentence that `hf` prints behind "Error: ", cut to size; returns the length that it has. */
HF_EXPORT size_t hf_hub_error_text(const struct hf_error *, char *text, size_t size);
/* The exit code that goes with it: 2 for a usage error, else 1. */
HF_EXPORT int hf_hub_exit_code(const struct hf_error *);
/* Is an AI agent running this program? Its id, "unknown", or NULL; decided from the environment by the registry that
 * HF_HOME/.agent_harnesses.json keeps for a day (operations that use the network renew it before their first request). No
 * network here. The string is good until the next call on this thread. */
HF_EXPORT const char *hf_hub_agent(hf_runtime *);

#ifdef __cplusplus
}
#endif
#endif
