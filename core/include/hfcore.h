/* hfcore.h - the core for programs that embed it: a runtime, operations by name, and the pieces that task packs are made
 * of. Typed functions for what people call from C (download a file ...) are in hf_hub.h; start there.
 *
 *   hf_runtime *rt;
 *   if (hf_runtime_new(NULL, &rt)) ...
 *   hf_op *op = hf_op_start(rt, "models.info", "{\"repo_id\":\"gpt2\"}", &(struct hf_watch){ .record = on_record });
 *   hf_status st = hf_op_wait(op);           // every started operation ends exactly once
 *   if (st) fprintf(stderr, "%s\n", hf_op_error(op)->message);
 *   hf_op_free(op); hf_runtime_free(rt);
 *
 * Threads: every function may be called from any thread unless it says otherwise. Functions that return a pointer return
 * memory that the object owns; there is nothing to free but what has a _free or _close. Strings in are copied. */
#ifndef HFCORE_H
#define HFCORE_H
#include <hf/plugin.h>
#include <hf/io.h>
#include <hf/storage.h>
#include <hf/task.h>
#include <hf/transfer.h>
#ifdef __cplusplus
extern "C" {
#endif

typedef struct hf_runtime hf_runtime;
typedef struct hf_op hf_op;
typedef struct hf_store hf_store;

HF_EXPORT const char *hf_version(void);
HF_EXPORT const struct hf_host *hf_host(void);
HF_EXPORT const char *hf_status_name(hf_status); /* "HF_ENOTFOUND" */

/* ---- runtime: configuration, plugins, workers, budget, network ------------------------------------------------- */

struct hf_runtime_opts { /* all optional; zero it, set struct_size */
  uint32_t struct_size, flags;        /* HF_RT_* */
  struct hf_table settings;           /* rows: struct hf_kv; configuration keys, stronger than environment and file */
  const struct hf_plugin *const *statics; /* built-in plugins, NULL-terminated; added to those of the library */
  const char *plugin_path;            /* folders, ":"-separated, searched first */
  const char *argv0;                  /* finds the library folder; NULL: from the running code */
  void (*log)(void *arg, int32_t level, const char *line); /* NULL: stderr */
  void *log_arg;
};
enum { HF_RT_NO_PLUGINS = 1, HF_RT_NO_CONFIG_FILE = 2 };
HF_EXPORT hf_status hf_runtime_new(const struct hf_runtime_opts *, hf_runtime **);
/* Waits for running operations (cancel them first to hurry), ends plugins, frees. NULL is fine. */
HF_EXPORT void hf_runtime_free(hf_runtime *);
/* Why the last hf_runtime_new on this thread failed. */
HF_EXPORT const char *hf_runtime_problem(void);

/* Configuration: value and where it came from ("option", "environment HF_HOME", "/x/hf.conf:3", "default"). */
struct hf_setting {
  const char *value, *origin;
  const char *help; /* what the key is for; NULL: a plugin's, or not known */
};
HF_EXPORT const char *hf_config_get(hf_runtime *, const char *key); /* NULL: unset */
HF_EXPORT int hf_config_flag(hf_runtime *, const char *key);        /* 1, ON, YES, TRUE in any case */
HF_EXPORT int64_t hf_config_int(hf_runtime *, const char *key, int64_t deflt);
HF_EXPORT struct hf_setting hf_config_setting(hf_runtime *, const char *key);
/* Every known key in order; return non-zero to stop. */
HF_EXPORT void hf_config_each(hf_runtime *, int (*)(void *, const char *key, struct hf_setting), void *);

/* ---- plugins ------------------------------------------------------------------------------------------------------ */

struct hf_plugin_info { /* what the file says, without opening it as code; strings live as long as the runtime */
  uint32_t struct_size, kind;          /* kind 0: a file or folder that could not be read as plugins; name is its own */
  const char *name, *plugin, *version; /* module, its plugin */
  const char *file;                    /* NULL: built in */
  const char *refused;                 /* why it is not used, NULL: it is */
  const char *commands;
  int32_t priority;
  uint32_t abi_major, abi_minor;
  uint64_t caps;
  const char *rule;                    /* the rule that a refused file broke ("abi/one-symbol"), NULL: said in words only */
};
/* One row per module, refused files included, ascending by kind and name. Reads notes only. */
HF_EXPORT void hf_plugin_each(hf_runtime *, int (*)(void *, const struct hf_plugin_info *), void *);
/* Opens the module and runs the plugin's load() if it has not run; every function of the answer is callable. NULL and the
 * reason in *why (the runtime's memory) when refused. */
HF_EXPORT const struct hf_module *hf_plugin_open(hf_runtime *, uint32_t kind, const char *name, const char **why);
/* The same without load(): no code of the plugin runs, and only the module's constant data may be read. */
HF_EXPORT const struct hf_module *hf_plugin_look(hf_runtime *, uint32_t kind, const char *name, const char **why);
/* Reads one file as the loader would, without running it: fn gets its modules, or one row of kind 0 when it has none that
 * could be read (strings live during the call only). */
HF_EXPORT hf_status hf_plugin_read(hf_runtime *, const char *file, int (*)(void *, const struct hf_plugin_info *), void *,
                                   const char **why);

/* For judges of plugins, who call a module's functions past the core's checks: a slot for one type of row (in the call's
 * arena), and the module whose configuration option() reads from now on. */
HF_EXPORT hf_slot *hf_slot_new(hf_call *, uint32_t want, hf_status (*)(void *arg, uint32_t what, const void *row), void *);
HF_EXPORT void hf_call_module(hf_call *, const struct hf_module *);
/* Puts the layers that the call's HF_LAYERS names around an open store or session: both become layered ones, and the layered
 * close() ends both. struck: faults that layers injected so far in this process. */
HF_EXPORT hf_status hf_layers_around_store(hf_call *, const struct hf_storage **, void **store);
HF_EXPORT hf_status hf_layers_around_session(hf_call *, const struct hf_transfer **, void **session);
HF_EXPORT uint64_t hf_layers_struck(void);
/* The call's memory is never freed: foreign code that does not come back may still look at it. */
HF_EXPORT void hf_call_pin(hf_call *);

/* ---- tasks -------------------------------------------------------------------------------------------------------- */

HF_EXPORT const struct hf_task *hf_task_find(hf_runtime *, const char *name); /* NULL: not known */
HF_EXPORT void hf_task_each(hf_runtime *, int (*)(void *, const struct hf_task *), void *);

/* What an operation tells while it runs. Called from workers, one call at a time per operation; a callback that returns
 * non-zero cancels the operation. All optional. */
struct hf_watch {
  uint32_t struct_size, flags; /* HF_WATCH_* */
  void *arg;
  int32_t (*record)(void *arg, uint32_t what, const char *json, size_t len); /* HF_OUT_* */
  void (*progress)(void *arg, const struct hf_event *);
  uint64_t deadline_ms;      /* from now, 0: none */
  struct hf_table options;   /* rows: struct hf_kv: settings for this operation only */
  /* Asks a person, as host->ask() says: HF_OK, HF_ECANCELED (no, or end of input), HF_EINVAL (cannot ask now). Records and
   * progress wait meanwhile. NULL: nobody can be asked. */
  hf_status (*ask)(void *arg, uint32_t what, const char *prompt, char *answer, size_t room);
};
enum {
  HF_WATCH_RUN_IN_WAIT = 1, /* no thread is started: it runs inside hf_op_wait(), on the thread that waits */
  /* It runs on one of two threads that all such operations share, and holds none while it waits for the network or a while:
   * for thousands of requests and streams at once. Its callbacks run there too, so they must not block. */
  HF_WATCH_LIGHT = 2
};
/* Never NULL unless memory is out: a start that fails is an operation that has ended with the error. json_args: an
 * object; members are the task's parameters, arrays for repeated ones. */
HF_EXPORT hf_op *hf_op_start(hf_runtime *, const char *task, const char *json_args, const struct hf_watch *);
/* The same around a C function: how the typed API and tests run. fn runs on a worker. */
HF_EXPORT hf_op *hf_op_start_fn(hf_runtime *, hf_status (*fn)(hf_call *, void *), void *arg, const struct hf_watch *);
HF_EXPORT hf_status hf_op_wait(hf_op *);
HF_EXPORT int hf_op_done(hf_op *);
HF_EXPORT int hf_op_fd(hf_op *); /* readable once the operation has ended; owned by it; -1: none to be had */
HF_EXPORT void hf_op_cancel(hf_op *); /* asks; async-signal-safe */
HF_EXPORT const struct hf_error *hf_op_error(hf_op *); /* after the end; NULL on success */
HF_EXPORT void hf_op_free(hf_op *);   /* cancels and waits when still running */

/* ---- for task packs: the current call ------------------------------------------------------------------------------ */

HF_EXPORT hf_runtime *hf_call_runtime(hf_call *);
/* HF_OK after that time, or what host->check() says as soon as it says it. */
HF_EXPORT hf_status hf_call_sleep(hf_call *, uint64_t ms);
/* The operation that this call belongs to ends after that time (HF_ETIMEDOUT), unless it would end before. */
HF_EXPORT void hf_call_deadline(hf_call *, uint64_t ms);
/* Headers that every request of this call carries (copied); value NULL removes. Not for secrets. */
HF_EXPORT hf_status hf_call_header(hf_call *, const char *name, const char *value);
/* A secret header for one origin ("https://host[:port]") of this call: sent there and nowhere else. Origins listed
 * together share it. value NULL removes. Over http only to loopback or where a rewrite rule consents. */
HF_EXPORT hf_status hf_call_credential(hf_call *, const char *origin, const char *header, const char *value);
/* Replaces an option of this call and of what it starts. */
HF_EXPORT hf_status hf_call_option(hf_call *, const char *key, const char *value);
/* Turns an answer of status >= 400 into an error; installed once by the pack that knows the server's dialect. */
typedef void (*hf_http_error_fn)(hf_call *, const struct hf_http_req *, const struct hf_http_resp *, struct hf_error *);
HF_EXPORT void hf_runtime_on_http_error(hf_runtime *, hf_http_error_fn);
/* A table of arguments made from a JSON object by the caller's parser: name, value pairs in order. */
HF_EXPORT hf_args *hf_args_new(const struct hf_task *);
HF_EXPORT hf_status hf_args_add(hf_args *, const char *name, const char *value); /* HF_EINVAL: no such parameter */
HF_EXPORT void hf_args_free(hf_args *);
HF_EXPORT hf_op *hf_op_start_args(hf_runtime *, const struct hf_task *, hf_args *, const struct hf_watch *); /* takes args */

/* URLs: same scheme, host and port? NULL-safe. */
HF_EXPORT int hf_url_same_origin(const char *, const char *);
/* Absolute form of `ref` against `base`, in the call's arena; NULL with an error when it is no http(s) URL. */
HF_EXPORT const char *hf_url_resolve(hf_call *, const char *base, const char *ref);
/* What the answer to a request for `asked` leads to by Location or Link, as resolve() gives it; NULL with an error when it is
 * where nobody should go: no http(s) URL, one with a user name, or http after https. */
HF_EXPORT const char *hf_url_follow(hf_call *, const char *asked, const char *ref);
/* Percent-encodes all but unreserved characters; keep: characters left alone ("/"). In the call's arena. */
HF_EXPORT const char *hf_url_quote(hf_call *, const char *, const char *keep);

/* The symbol of a module that belongs to the library ("hf-net.so", in its own folder, never from the plugin path); it stays
 * loaded. NULL with an error on the call. */
HF_EXPORT const void *hf_library_module(hf_call *, const char *file, const char *symbol);

/* ---- stores: a backend's functions behind the core's checks --------------------------------------------------------- */

/* The one rule for paths inside a repo, POSIX and Windows rules on all systems: relative, "/"-separated, no "." or "..",
 * no drive or UNC prefix, no empty or over-long component, no control character, valid UTF-8. Else HF_EINVAL. */
HF_EXPORT hf_status hf_path_check(hf_call *, const char *path);
/* uri: "hub-cache:/path", "local-dir:/path", "memory:", "NAME:REST"; options reach the backend through the call. */
HF_EXPORT hf_status hf_store_open(hf_call *, const char *uri, hf_store **);
HF_EXPORT void hf_store_close(hf_store *);
HF_EXPORT uint64_t hf_store_caps(const hf_store *);
HF_EXPORT const char *hf_store_name(const hf_store *);
/* Results that are one row come back in *out (strings in the call's arena). */
HF_EXPORT hf_status hf_store_find(hf_call *, hf_store *, const struct hf_name *, struct hf_st_file *out);
HF_EXPORT hf_status hf_store_adopt(hf_call *, hf_store *, const struct hf_ingest *, struct hf_st_file *out);
HF_EXPORT hf_status hf_store_open_file(hf_call *, hf_store *, const struct hf_name *, struct hf_source **);
HF_EXPORT hf_status hf_store_absent(hf_call *, hf_store *, const struct hf_name *);
HF_EXPORT hf_status hf_store_remove(hf_call *, hf_store *, const struct hf_name *);
HF_EXPORT hf_status hf_store_ref_get(hf_call *, hf_store *, const struct hf_repo *, const char *name, const char **commit);
HF_EXPORT hf_status hf_store_ref_put(hf_call *, hf_store *, const struct hf_repo *, const char *name, const char *expect,
                                     const char *commit);
/* Results that are many rows come through a callback; non-zero stops with that status. */
typedef hf_status (*hf_row_fn)(void *arg, uint32_t what, const void *row);
HF_EXPORT hf_status hf_store_ref_each(hf_call *, hf_store *, const struct hf_repo *, hf_row_fn, void *);
HF_EXPORT hf_status hf_store_tree_get(hf_call *, hf_store *, const struct hf_repo *, const char *commit, hf_row_fn, void *);
HF_EXPORT hf_status hf_store_tree_put(hf_call *, hf_store *, const struct hf_repo *, const char *commit,
                                      const struct hf_tree_entry *, uint32_t n);
HF_EXPORT hf_status hf_store_blob_stat(hf_call *, hf_store *, const struct hf_key *, struct hf_blob *out);
HF_EXPORT hf_status hf_store_blob_open(hf_call *, hf_store *, const struct hf_key *, struct hf_source **);
HF_EXPORT hf_status hf_store_blob_remove(hf_call *, hf_store *, const struct hf_key *);
HF_EXPORT hf_status hf_store_blob_each(hf_call *, hf_store *, const struct hf_repo *, hf_row_fn, void *);
HF_EXPORT hf_status hf_store_repo_each(hf_call *, hf_store *, hf_row_fn, void *);
/* Everything that a store holds, as rows of struct hf_held whose strings live during the callback; and removing such rows.
 * For stores of HF_ST_LIST; rows of other stores' making are not removed. */
HF_EXPORT hf_status hf_store_scan(hf_call *, hf_store *, const struct hf_repo *, uint32_t flags, hf_row_fn, void *);
HF_EXPORT hf_status hf_store_expunge(hf_call *, hf_store *, const struct hf_held *, uint32_t n);
HF_EXPORT hf_status hf_store_space(hf_call *, hf_store *, uint64_t *available, const char **volume);
HF_EXPORT hf_status hf_store_folder(hf_call *, hf_store *, const struct hf_repo *, const char *commit, const char **path);
/* A wrapped sink of one file, for a pack that has the bytes itself: write, then hf_sink_close. st HF_OK: verify, seal and
 * publish; else abort, keeping the partial when keep. */
HF_EXPORT hf_status hf_store_ingest(hf_call *, hf_store *, const struct hf_ingest *, struct hf_sink **);
HF_EXPORT hf_status hf_sink_close(hf_call *, struct hf_sink *, hf_status st, int keep, struct hf_st_file *out);

/* ---- fetching: the dispatcher ---------------------------------------------------------------------------------------- */

/* One file to fetch. The caller fills in what it knows; where `resolve` is set, the rest is found out on a worker just
 * before the bytes are needed. */
struct hf_fetch_file {
  uint32_t struct_size;
  uint32_t flags;        /* HF_IN_* */
  const char *path, *etag, *xet_hash, *url;
  struct hf_digest digest;
  uint64_t size;
  void *user;
};
struct hf_fetch {
  uint32_t struct_size, flags;
  struct hf_repo repo;
  const char *commit, *endpoint, *token_url;
  hf_store *store;              /* where to */
  hf_store *const *tiers;       /* asked for the bytes before the network, in order; a broken one is only logged */
  uint32_t tier_count;
  uint32_t width;               /* files at once, 0: the runtime's */
  struct hf_fetch_file *files;  /* the caller's; strings live until hf_fetch returns */
  uint32_t count;
  const char *adapters;         /* names, comma separated, in order; NULL: by score */
  void *arg;
  /* Optional. resolve: fill in url, etag, digest, size of file i. refresh: a new URL after the old one was refused. done:
   * file i has ended, visible when st is HF_OK (called once per file, one at a time; after the group it was published
   * with); a non-zero answer cancels the rest. */
  hf_status (*resolve)(hf_call *, void *arg, struct hf_fetch_file *, uint32_t i);
  hf_status (*refresh)(hf_call *, void *arg, struct hf_fetch_file *, uint32_t i);
  hf_status (*done)(hf_call *, void *arg, struct hf_fetch_file *, uint32_t i, hf_status st, const struct hf_st_file *);
  /* Since 1.1, optional. bases: older versions of file i that are at hand, asked for once, when an adapter of HF_TR_DEDUP is
   * about to fetch it: writes at most *n rows and their number. The dispatcher closes the sources. A failure is no rows. */
  hf_status (*bases)(hf_call *, void *arg, struct hf_fetch_file *, uint32_t i, struct hf_tr_base *, uint32_t *n);
  /* Since 1.1, one file of known size: only these bytes of it (len 0: all). What is around them may be written too, and nothing is
   * verified: digests speak of whole files. */
  struct hf_range only;
};
/* For each file: lease, adopt, tiers, else an adapter into a wrapped sink; verify, seal, publish in groups. The first
 * failure stops the rest and is the result; what was complete by then is published. */
HF_EXPORT hf_status hf_fetch(hf_call *, const struct hf_fetch *);

/* ---- sources: local bytes on their way out ------------------------------------------------------------------------ */

/* What tells one state of a file from another. FROZEN. */
struct hf_stamp {
  uint64_t dev, ino, size;
  int64_t mtime_ns, ctime_ns;
};
/* A regular file, links followed; folders, sockets, pipes and devices are refused without being opened. `expect` NULL: it
 * is as it is; else as it was, or HF_ECONFLICT. Every later pread finds it unchanged, or is HF_ECONFLICT as well. */
HF_EXPORT hf_status hf_source_file(hf_call *, const char *path, uint32_t flags, const struct hf_stamp *expect,
                                   struct hf_source **, struct hf_stamp *is);
enum {
  HF_SOURCE_GROWS = 1, /* bytes may be appended meanwhile: only those of `expect` are seen */
  HF_SOURCE_SEEN = 2   /* the caller saw that it is a regular file, so it may be opened to be looked at */
};
/* Bytes in memory, the caller's until close(). */
HF_EXPORT hf_status hf_source_memory(hf_call *, const char *name, const void *, size_t, struct hf_source **);

/* One pass over a source: digests, and a cheap checksum per block, by which a later pass is recognised as the same bytes. */
struct hf_scan {
  uint32_t struct_size, want; /* want: HF_SCAN_*; set before */
  struct hf_digest sha256, git_blob;
  uint64_t size;
  uint32_t block, count;      /* bytes of a block; number of sums */
  uint64_t *sums;             /* host->release() ends them */
  uint32_t sample_len;
  uint8_t sample[512];        /* how the bytes begin */
};
enum { HF_SCAN_SHA256 = 1, HF_SCAN_GIT_BLOB = 2 };
HF_EXPORT hf_status hf_source_scan(hf_call *, struct hf_source *, struct hf_scan *);
/* How many blocks a scan of so many bytes has, and of which size. */
HF_EXPORT uint32_t hf_scan_blocks(uint64_t size, uint32_t *block);
/* A source that gives only bytes that have these sums: HF_ECONFLICT else. Takes `raw` over in every case; the sums are the
 * caller's as long as it lives. Emits progress as item `item` (UINT32_MAX: none). */
HF_EXPORT hf_status hf_source_check(hf_call *, struct hf_source *raw, uint32_t block, const uint64_t *sums,
                                    uint32_t count, uint32_t item, struct hf_source **);

/* ---- sending: the dispatcher of uploads ------------------------------------------------------------------------------- */

struct hf_send_file {      /* one file to send, and where to */
  uint32_t struct_size, flags;
  const char *path;        /* in the repo; for messages */
  const char *url, *complete_url;
  struct hf_table headers; /* rows: struct hf_kv */
  struct hf_table parts;   /* rows: struct hf_tr_part */
  const char **etags;      /* one per part, NULL: not there; what is learnt is written here. NULL without parts */
  struct hf_digest digest; /* written, since 1.1: algo HF_DIGEST_XET, when an adapter has told the name of a file of a bucket */
  uint64_t size;
  void *user;
};
struct hf_send {
  uint32_t struct_size, flags;
  struct hf_repo repo;
  const char *revision, *endpoint, *token_url;
  uint32_t width;             /* files at once, 0: the runtime's */
  uint32_t first_item;        /* progress events count from here */
  struct hf_send_file *files; /* the caller's; strings live until hf_send returns */
  uint32_t count;
  const char *adapters;       /* names, comma separated, in order; NULL: by score */
  void *arg;
  /* open: the bytes of file i, as a source that hf_send closes. Optional: part: the server has this part (the file's etags
   * hold its name already). refresh: the target was refused: fill in another; HF_PENDING: the server has the file. done:
   * file i has ended (once per file, several at the same time); a non-zero answer cancels the rest. */
  hf_status (*open)(hf_call *, void *arg, struct hf_send_file *, uint32_t i, struct hf_source **);
  hf_status (*part)(hf_call *, void *arg, struct hf_send_file *, uint32_t i, uint32_t part);
  hf_status (*refresh)(hf_call *, void *arg, struct hf_send_file *, uint32_t i);
  hf_status (*done)(hf_call *, void *arg, struct hf_send_file *, uint32_t i, hf_status st);
  /* Since 1.1, optional: a file without digest is scanned as it is read, so that it need not be read for its digest alone.
   * When all of it was read (by an adapter that is still to send it), its digest is set and this gets the scan; the sums are
   * valid during the call only. */
  hf_status (*scanned)(hf_call *, void *arg, struct hf_send_file *, uint32_t i, const struct hf_scan *);
};
/* Each file by an adapter, the next one when it fails; the first failure stops the rest and is the result. */
HF_EXPORT hf_status hf_send(hf_call *, const struct hf_send *);

#ifdef __cplusplus
}
#endif
#endif
