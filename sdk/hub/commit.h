/* commit.h - a commit on its way: the operations, what is found out about each, and the stages they go through: ops.c checks and
 * collects them, preupload.c asks how each is to be stored, hash.c reads them once, lfs.c sends what is large, commit_body.c
 * writes the rest into the commit, commit.c runs it all. Private to sdk/hub. */
#ifndef HUB_COMMIT_H
#define HUB_COMMIT_H
#include "hub.h"

#include <stdatomic.h>

enum { HF_OP_ADD = 1, HF_OP_DELETE_FILE, HF_OP_DELETE_FOLDER, HF_OP_COPY };
enum { HF_MODE_UNKNOWN = 0, HF_MODE_REGULAR, HF_MODE_LFS };
enum {
  HF_OP_IGNORED = 1,      /* by .gitignore */
  HF_OP_UNCHANGED = 2,    /* the repo has it as it is */
  HF_OP_SHA256 = 4,       /* sha256 is known */
  HF_OP_GIT = 8,          /* git is known */
  HF_OP_SUMS = 16,        /* so are the sums of its blocks */
  HF_OP_GROWS = 32,       /* only the first stamp.size bytes count, more may come */
  HF_OP_DELETED_TOO = 64, /* the same commit deletes this path or a folder above */
  HF_OP_STAMPED = 128,    /* stamp is that of the file that was read */
  HF_OP_WHOLE = 256       /* sample is all of the file, not its beginning alone */
};
enum { HF_WINDOW = 256, HF_SAMPLE = 512 };

struct hf_hub_copy {                                 /* a file of this repo or another */
  const char *path, *repo_id, *repo_type, *revision; /* repo NULL: the same; revision NULL: the commit's, or main */
  const char *sha256, *xet_hash;                     /* found out; sha256 NULL: a regular file */
  const char *content;                               /* of a regular file */
  size_t len;
  const char *is, *was; /* object ids of source and destination, NULL: not compared */
};

struct hf_hub_op {
  const char *path;  /* in the repo */
  const char *local; /* add: a file; else data or read */
  const void *data;
  hf_status (*read)(void *arg, void *buf, size_t len, uint64_t off, size_t *got);
  void *arg;
  struct hf_hub_copy *copy;
  uint64_t *sums;        /* malloc'ed; NULL: one or none */
  uint64_t sum;          /* of a file of one block */
  struct hf_stamp stamp; /* size is right for every addition */
  uint8_t *sample;       /* how it begins, malloc'ed, or all of a small one, held; NULL: not read, or done with */
  uint16_t sample_len;
  uint16_t flags;
  uint8_t kind, mode, remote_len;
  uint8_t sha256[32], git[20];
  uint8_t remote[32]; /* what the repo has under this path; remote_len 0: nothing */
};

struct hf_hub_ops { /* rows malloc'ed, strings in the arena */
  struct hf_hub_op *rows;
  uint32_t count, room;
};

struct hf_hub_hashes;
struct hf_hub_held;
struct hf_hub_commit {
  struct hf_hub *hub;
  struct hf_repo repo;
  const char *revision; /* never NULL */
  const char *message, *description, *parent;
  bool create_pr, split; /* split: large ones may become several commits */
  bool card_checked;     /* README.md was judged already */
  bool only_send;        /* large files are sent, nothing is committed */
  bool by_xet;           /* large files go by Xet: other words then, as the reference has them */
  uint32_t width;        /* files at once, 0: 8 */
  struct hf_hub_ops ops;
  struct hf_hub_hashes *hashes;   /* NULL: none */
  struct hf_hub_held *held;       /* small files in memory; NULL: none */
  const char *gitignore;          /* content of a .gitignore that is added */
  const char *url, *oid, *pr_url; /* the answer */
  bool committed;                 /* false: nothing to commit */
};

/* ---- ops.c, walk.c ---- */
void hf_hub_ops_free(struct hf_hub_ops *);
struct hf_hub_op *hf_hub_op_new(hf_call *, struct hf_hub_ops *, uint8_t kind); /* NULL: out of memory, error set */
/* As the reference spells and refuses paths in a repo; *out is the path to use. A folder's may end with a slash. */
hf_status hf_hub_check_target(hf_call *, const char *path, const char **out);
hf_status hf_hub_check_file_target(hf_call *, const char *path, const char **out);
hf_status hf_hub_add_file(hf_call *, struct hf_hub_ops *, const char *path, const char *local);
hf_status hf_hub_add_bytes(hf_call *, struct hf_hub_ops *, const char *path, const void *, size_t);
hf_status hf_hub_add_deletion(hf_call *, struct hf_hub_ops *, const char *path, bool folder);
hf_status hf_hub_add_copy(hf_call *, struct hf_hub_ops *, const char *path, const struct hf_hub_copy *);
/* Every file below a folder that the patterns choose, in the reference's order, as additions below `prefix`. */
hf_status hf_hub_add_folder(hf_call *, struct hf_hub_ops *, const char *folder, const char *prefix,
                            const struct hf_hub_patterns *);
/* What the reference warns of: one path twice, added and deleted; data files outside of datasets. */
hf_status hf_hub_ops_judge(struct hf_hub_commit *);
/* Bytes of an addition as they are, unchecked. */
hf_status hf_hub_op_source(hf_call *, const struct hf_hub_op *, struct hf_source **);
/* The same, only as they were hashed. */
hf_status hf_hub_op_checked(hf_call *, const struct hf_hub_op *, uint32_t item, struct hf_source **);
/* All of an addition in memory, at most `most` bytes; arena, NUL behind. */
hf_status hf_hub_op_text(hf_call *, const struct hf_hub_op *, size_t most, const char **text, size_t *len);

/* ---- held.c ---- */
struct hf_hub_held *hf_hub_held_open(void);
void hf_hub_held_close(struct hf_hub_held *);
/* Memory for a content; NULL: it is large, or there is no room now. */
uint8_t *hf_hub_held_take(struct hf_hub_held *, uint64_t size);
void hf_hub_held_give(struct hf_hub_held *, const uint8_t *);

/* ---- hash.c, hashes.c ---- */
/* Sample and content are no longer wanted. */
void hf_hub_op_forget(struct hf_hub_commit *, struct hf_hub_op *);
/* What a pass over all of it found. */
void hf_hub_op_scanned(struct hf_hub_commit *, struct hf_hub_op *, const struct hf_scan *);
/* Samples of `count` operations, small files whole; what the journal knows is not read. */
hf_status hf_hub_hash_begin(struct hf_hub_commit *, hf_call *, struct hf_hub_op *const *, uint32_t count);
/* The digest that each one's mode needs. */
hf_status hf_hub_hash_rest(struct hf_hub_commit *, hf_call *, struct hf_hub_op *const *, uint32_t count);
/* The first files of an upload, before anything was asked; what fails is left for later. */
void hf_hub_hash_early(struct hf_hub_commit *, hf_call *, struct hf_hub_op *rows, uint32_t count);
/* Fills in what is known of files from earlier runs; answers how many additions are known whole. */
uint32_t hf_hub_hash_recall(struct hf_hub_commit *);
bool hf_hub_hash_recall_one(struct hf_hub_commit *, struct hf_hub_op *);
/* The journal of digests by file. Never fails: what cannot be kept is computed again. */
struct hf_hub_hashes *hf_hub_hashes_open(hf_call *);
bool hf_hub_hashes_any(const struct hf_hub_hashes *);
bool hf_hub_hashes_find(struct hf_hub_hashes *, const struct hf_stamp *, struct hf_hub_op *, bool sample);
void hf_hub_hashes_add(struct hf_hub_hashes *, const struct hf_hub_op *, bool sample);
void hf_hub_hashes_flush(struct hf_hub_hashes *);
void hf_hub_hashes_close(struct hf_hub_hashes *);

/* ---- preupload.c ---- */
hf_status hf_hub_preupload(struct hf_hub_commit *, hf_call *, struct hf_hub_op *const *, uint32_t count);
/* One listing of the repo instead: marks what is unchanged. */
hf_status hf_hub_compare_tree(struct hf_hub_commit *);
bool hf_hub_op_unchanged(const struct hf_hub_op *); /* by digests and what the repo has */
hf_status hf_hub_check_card(struct hf_hub *, const char *type, const char *text, size_t len);

/* ---- lfs.c, lfs_target.c ---- */
bool hf_hub_uses_xet(hf_call *);
/* Sends what the server lacks; files whose digest is not known yet are read for it on their way, or before. first: index of the
 * first, for progress. */
hf_status hf_hub_lfs_send(struct hf_hub_commit *, hf_call *, struct hf_hub_op *const *, uint32_t count, uint32_t first);
/* Where one object goes. Strings in the arena. */
struct hf_hub_target {
  const char *url, *complete_url, *verify_url;
  struct hf_kv *headers, *verify_headers;
  uint32_t header_count, verify_count;
  struct hf_tr_part *parts;
  const char **etags;
  uint32_t part_count;
  int64_t expires; /* seconds since 1970 */
};
/* Reads the "actions" of an object in a batch answer. */
hf_status hf_hub_target_read(struct hf_hub *, hf_call *, const json_t *object, uint64_t size, struct hf_hub_target *);
/* Targets of large files survive the process: parts that are there are not sent again. */
struct hf_hub_saved; /* an open note of one target */
struct hf_hub_saved *hf_hub_target_open(struct hf_hub *, hf_call *, const struct hf_repo *, const char *oid,
                                        uint64_t size, struct hf_hub_target *, bool *known);
void hf_hub_target_save(struct hf_hub_saved *, const struct hf_hub_target *);
void hf_hub_target_part(struct hf_hub_saved *, uint32_t part, const char *etag);
void hf_hub_target_close(struct hf_hub_saved *, bool finished);
/* The repo has these files: what was kept for sending them goes, unless another process is at it. */
void hf_hub_targets_forget(struct hf_hub *, const struct hf_repo *, const struct hf_hub_ops *);

/* ---- paths.c ---- */
/* fn gets every entry that the repo has under these paths. */
hf_status hf_hub_paths(struct hf_hub *, const struct hf_repo *, const char *revision, const char *const *paths,
                       uint32_t count, hf_hub_item_fn, void *);
/* Does the repo look as if these operations were committed? The first 500 speak for all. 1: yes, 0: no, -1: who knows. */
int hf_hub_commit_was_made(struct hf_hub *, const struct hf_repo *, const char *revision, struct hf_hub_op *const *,
                           uint32_t count);

/* ---- commit_doubt.c ---- */
struct hf_hub_doubt {
  struct hf_hub_commit *k;
  const char *revision, *title;
  struct hf_hub_op *const *ops;
  uint32_t count;
  bool opens_pull; /* the commit itself was to open a pull request */
};
/* Does the error leave open whether the commit was made? */
bool hf_hub_commit_in_doubt(hf_call *, hf_status);
/* After attempt n of it. HF_OK: it was made, url, oid and pr_url are known; HF_PENDING: it was not, send it again; else the
 * error, as it was. Waits as long as the server asked for. */
hf_status hf_hub_commit_doubt(hf_call *, const struct hf_hub_doubt *, uint32_t n);

/* ---- copy.c ---- */
hf_status hf_hub_copies(struct hf_hub_commit *);

/* ---- upload.c, repo_ensure.c ---- */
/* The repo, made if it is missing; repo->id becomes its full name. private_: -1 not said. */
hf_status hf_hub_repo_ensure(struct hf_hub *, struct hf_repo *, int private_);
hf_status hf_hub_branch_ensure(struct hf_hub *, const struct hf_repo *, const char *revision);
/* Deletions of what the repo has below `prefix` that the patterns choose; never .gitattributes. */
hf_status hf_hub_add_deletions(struct hf_hub *, struct hf_hub_ops *, const struct hf_repo *, const char *revision,
                               const char *prefix, const char *const *patterns, uint32_t count);
/* Runs a commit that adds one file or a folder; the operations are made here. */
struct hf_hub_upload {
  const char *local, *target; /* target: path of the file, or of the folder; NULL: the root */
  struct hf_hub_patterns patterns;
  const char *const *remove;
  uint32_t remove_count;
  struct hf_hub_ops adds; /* the files of a folder, once they were looked for */
};
hf_status hf_hub_upload_file(struct hf_hub_commit *, const struct hf_hub_upload *);
hf_status hf_hub_upload_folder(struct hf_hub_commit *, struct hf_hub_upload *);
/* Looks for the files of the folder: what no repo can hold is refused here, without a request. */
hf_status hf_hub_upload_look(struct hf_hub_commit *, struct hf_hub_upload *);
/* "a/b" -> "a/b/"; what is the root: "" or "./". NULL: out of memory. */
const char *hf_hub_folder_prefix(hf_call *, const char *target);

/* ---- upload_every.c ---- */
/* Commits what changed in a folder every so many minutes until the call is cancelled. */
struct hf_hub_schedule {
  struct hf_repo repo;
  const char *revision, *folder, *prefix, *token;
  struct hf_hub_patterns patterns;
  double minutes;
  int private_;
};
hf_status hf_hub_schedule(hf_call *, hf_out *, struct hf_hub_schedule *);

/* ---- commit_body.c, commit.c ---- */
/* The body of a commit as a source of known size, read from the front. `first`: header included. */
hf_status hf_hub_commit_body(hf_call *, const char *message, const char *description, const char *parent,
                             struct hf_hub_op *const *, uint32_t count, struct hf_source **);
/* Journal and memory for small files; begun by run, or before it by who reads early. Both may be missing. */
void hf_hub_commit_begin(struct hf_hub_commit *);
void hf_hub_commit_end(struct hf_hub_commit *);
/* Everything from the first question to the commit. Frees nothing of ops. */
hf_status hf_hub_commit_run(struct hf_hub_commit *);
/* Message and description, where they are given, can be said. */
hf_status hf_hub_commit_words(const struct hf_hub_commit *);
/* They are right, and so is the parent. */
hf_status hf_hub_commit_check(struct hf_hub_commit *);
/* The page of a commit. */
const char *hf_hub_commit_url(hf_call *, const struct hf_hub_commit *, const char *oid);

#endif
