/* core.h - what the parts of the core share: the runtime, the call, and the seams between source files.
 * Private to core/src. Each block names the file that owns it; a part is used through these functions only.
 * Lock order: runtime parts -> op -> call; no lock is held while foreign code (plugin, callback) runs. */
#ifndef HF_CORE_H
#define HF_CORE_H
#include <hfcore.h>
#include <locale.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "net.h"

#define HF_VERSION  "0.1.0"
#define HF_COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define TRY(x)                      \
  do {                              \
    hf_status try_ = (x);           \
    if (try_ != HF_OK) return try_; \
  } while (0)

/* ---- mem.c: every allocation of the core. The hook lets tests fail the Nth one. --------------------------------- */
void *hf_mem_alloc(size_t); /* zeroed */
void *hf_mem_resize(void *, size_t);
void hf_mem_free(void *);
char *hf_mem_dup(const char *, size_t);      /* len SIZE_MAX: strlen */
void hf_mem_fail_after(long n, bool sticky); /* n < 0: off; also HF_TEST_OOM=N[,sticky] in test builds */
bool hf_mem_watched(void);                   /* a test counts allocations or lets them fail */

struct hf_arena; /* thread-safe bump allocator */
struct hf_arena *hf_arena_new(void);
void *hf_arena_alloc(struct hf_arena *, size_t); /* zeroed, 16-aligned; NULL when out of memory */
char *hf_arena_dup(struct hf_arena *, const char *, size_t);
void hf_arena_free(struct hf_arena *);
void hf_arena_reset(struct hf_arena *); /* as new: what was in it is wiped */

/* ---- text.c: growable text with a stated maximum; overflow and no memory are remembered, the text stays valid ------- */
struct hf_text_buf {
  char *data; /* NUL-terminated, never NULL */
  size_t len, cap, max;
  bool failed;
};
void hf_text_init(struct hf_text_buf *, size_t max);
void hf_text_add(struct hf_text_buf *, const char *, size_t); /* SIZE_MAX: strlen */
void hf_text_addf(struct hf_text_buf *, const char *, ...) HF_PRINTF(2, 3);
void hf_text_json(struct hf_text_buf *, const char *, size_t); /* quoted and escaped JSON string */
void hf_text_free(struct hf_text_buf *);
/* redact.c: replaces tokens, signatures and passwords in a text that people will read. In place; never longer. */
void hf_text_redact(char *);
/* The value of a header with a credential: redacted from now on, in any text. Of the last 16 different ones. */
void hf_secret_carried(const char *value);

/* ---- error.c: the error slot; cancel.c: the tree of cancel flags and hooks; call.c: calls, branches, options, events ---- */
struct hf_error_slot { /* no allocation: texts are cut to fit */
  struct hf_error e;
  char cls[64], message[1536], request_id[128], url[512];
  _Atomic int state; /* 0 empty, 1 being written, 2 set: read it through hf_call_error() */
};
struct hf_cancel; /* flag, deadline, hooks; a branch has its own, below that of its parent */
struct hf_call {
  hf_runtime *rt;
  struct hf_call *parent;         /* NULL: the operation's own call */
  hf_op *op;                      /* NULL in calls made by hf_call_begin */
  const struct hf_module *module; /* whose option() keys apply; set by guards */
  struct hf_cancel *cancel;
  struct hf_arena *arena;               /* the operation's; branches share it */
  _Atomic(struct hf_profile *) profile; /* headers, credentials, options: never changed, only replaced (profile.c) */
  struct hf_error_slot *error;
  const struct hf_watch *watch; /* NULL: nobody looks */
  pthread_mutex_t *watch_lock;
  _Atomic uint32_t refs;
};
/* A call of its own outside any operation (tests, runtime start). */
hf_status hf_call_begin(hf_runtime *, hf_call **);
void hf_call_end(hf_call *);
/* A branch for parallel(): own error slot, own cancel flag that the parent's also sets. NULL: out of memory. */
hf_call *hf_call_branch(hf_call *);
void hf_call_branch_end(hf_call *, bool hand_up); /* hand_up: the error becomes the parent's if it has none */
void hf_call_cancel(hf_call *);                   /* this call and its branches */
/* Behind the host table. */
hf_status hf_call_fail(hf_call *, const struct hf_error *);
hf_status hf_call_failf(hf_call *, hf_status, const char *, ...) HF_PRINTF(3, 4);
const struct hf_error *hf_call_error(hf_call *);
void hf_call_clear(hf_call *);
hf_status hf_call_check(hf_call *);
hf_status hf_call_on_cancel(hf_call *, void (*fn)(void *), void *arg, hf_hook **);
void hf_call_off_cancel(hf_hook *);
void hf_call_emit(hf_call *, const struct hf_event *);
void hf_call_log(hf_call *, int32_t level, const char *, ...) HF_PRINTF(3, 4);
const char *hf_call_get_option(hf_call *, const char *key);
void *hf_call_arena(hf_call *, size_t);
const char *hf_call_intern(hf_call *, const char *, size_t);
uint64_t hf_now_ns(void);
/* "WHAT: why errno says", with a code and, where the disk is full, in the words disk, quota or inodes. */
hf_status hf_fail_errno(hf_call *, int err, const char *what, ...) HF_PRINTF(3, 4);
hf_status hf_code_of_errno(int err);

/* ---- profile.c ---------------------------------------------------------------------------------------------------------- */
struct hf_profile;
const char *hf_profile_option(const struct hf_profile *, const char *key);
/* Rows (struct hf_kv) for a request to this logical origin: default headers, and credentials where they belong. */
hf_status hf_profile_headers(hf_call *, const char *url, bool credentials, struct hf_kv **rows, uint32_t *n);

/* ---- config.c, runtime.c -------------------------------------------------------------------------------------------------- */
struct hf_config;
struct hf_registry;
struct hf_work;
struct hf_budget;
struct hf_netstack;
struct hf_trace;
struct hf_watcher;
struct hf_ops;
struct hf_runtime {
  const struct hf_host *host; /* what plugins and hf-net are given */
  struct hf_config *config;
  struct hf_registry *registry; /* plugins and tasks */
  struct hf_work *work;         /* its threads start with the first job */
  struct hf_light *light;       /* the same */
  struct hf_budget *budget;
  struct hf_netstack *net; /* http.c; loaded at the first request or digest */
  struct hf_trace *trace;
  struct hf_watcher
      *watcher;       /* turns asked-for cancels and deadlines into hooks; its thread starts with the first hook */
  struct hf_ops *ops; /* operations that have not ended */
  _Atomic(hf_http_error_fn) on_http_error;
  void (*log)(void *, int32_t, const char *);
  void *log_arg;
  _Atomic int32_t log_level;
  pthread_mutex_t lock; /* lazily made parts */
  char *libdir;         /* where hf-net and the shipped plugins are: lib/hf, found from argv0 */
};
/* Defaults that are the Hub's (rows end with a NULL key); sdk/hub/defaults.c. */
extern const struct hf_kv hf_builtin_defaults[];
hf_status hf_config_open(const struct hf_runtime_opts *, struct hf_config **, char *why, size_t why_len);
void hf_config_close(struct hf_config *);
const char *hf_config_complaints(const struct hf_config *);    /* one per line: of hf.conf, of values nobody knows */
bool hf_config_secret(const char *key);                        /* never shown, never an option */
const char *hf_config_open_get(hf_runtime *, const char *key); /* NULL for a secret */
const char *hf_config_module(hf_runtime *, const struct hf_module *, const char *key); /* "NAME.key" and param.env */
void hf_log(hf_runtime *, int32_t level, const char *, ...) HF_PRINTF(3, 4);           /* redacted */

/* ---- registry.c (modules by kind and name), elf.c (note without running), search.c (folders, owners), index.c (cache),
 *      load.c (dlopen, descriptors), normal.c (vtables and rows of ours), refuse.c (its words), guard.c (thread models) ---- */
hf_status hf_registry_open(hf_runtime *, const struct hf_runtime_opts *, struct hf_registry **);
void hf_registry_close(struct hf_registry *);
/* The library's own packs, NULL-terminated; sdk/hub/builtin.c. */
extern const struct hf_plugin *const hf_builtin_plugins[];
/* A normalised copy: every function is callable (stubs answer HF_ENOSYS), struct_size is ours. Lives as long as rt. */
struct hf_slot_module {
  const struct hf_module *m; /* normalised vtable */
  void *state;               /* from load() */
  pthread_mutex_t one;       /* HF_THREADS_ONE */
  uint32_t threads;
};
hf_status hf_module_get(hf_call *, uint32_t kind, const char *name, struct hf_slot_module **);
/* Names of a kind, best priority first; from notes. Stops when fn answers non-zero. */
void hf_module_each(hf_runtime *, uint32_t kind, int (*fn)(void *, const struct hf_plugin_info *), void *);
/* Enter and leave plugin code: takes the module's or object's lock as its thread model says; sets call->module. */
struct hf_guard {
  pthread_mutex_t *held;
  const struct hf_module *before;
  locale_t locale; /* the thread's */
};
void hf_guard_in(struct hf_guard *, hf_call *, struct hf_slot_module *, pthread_mutex_t *object);
void hf_guard_out(struct hf_guard *, hf_call *);
/* process.c: numbers of this thread have a point, whatever locale somebody sets for the process; for threads of ours. */
void hf_locale_plain(void);
struct hf_slot { /* where put() goes; made on the stack by the asking function */
  hf_row_fn fn;
  void *arg;
  uint32_t want; /* HF_PUT_* accepted, others are HF_EABI */
  hf_call *call;
};
hf_status hf_slot_put(hf_slot *, uint32_t what, const void *row,
                      size_t row_size); /* host->put: copies into full rows */

/* ---- task.c: arguments, records, running rows ------------------------------------------------------------------------------- */
struct hf_out {
  hf_call *call;
  int32_t (*record)(void *, uint32_t, const char *, size_t);
  void *arg;
};
/* The row, or an error in words. Packs in plugins are opened only when their note names the first word. */
hf_status hf_task_get(hf_call *, const char *name, const struct hf_task **);
/* Arguments from a JSON object: strings, numbers, booleans, null (absent) and arrays of these. NULL or "": none. */
hf_status hf_args_read(hf_call *, const struct hf_task *, const char *json, hf_args **);
/* Required ones there, numbers and choices as the rows say; HF_EINVAL and an error in words. */
hf_status hf_args_check(hf_call *, const hf_args *);
/* Checks the arguments, opens the row's pack (load() on first use) and runs the row on this thread. */
hf_status hf_task_run(hf_call *, const struct hf_task *, const hf_args *, hf_out *);
/* Behind the host table. */
const char *hf_arg_str(const hf_args *, const char *name, uint32_t index);
uint32_t hf_arg_count(const hf_args *, const char *name);
int32_t hf_arg_int(const hf_args *, const char *name, int64_t *);
hf_status hf_record(hf_out *, uint32_t what, const char *json, size_t len);
hf_status hf_task_call(hf_call *, const char *name, const char *json_args, hf_out *);
hf_status hf_ask(hf_out *, uint32_t what, const char *prompt, char *answer, size_t room);

/* ---- work.c: workers, parallel, jobs; budget.c: tickets ------------------------------------------------------------------------ */
uint32_t hf_processors(void); /* that this process may use */
hf_status hf_work_open(hf_runtime *, struct hf_work **);
void hf_work_close(struct hf_work *);
hf_status hf_work_post(struct hf_work *, void (*fn)(void *), void *arg); /* runs soon, on some worker */
hf_status hf_parallel(hf_call *, uint32_t n, uint32_t width, hf_status (*)(hf_call *, void *, uint32_t), void *);
hf_status hf_jobs_open(hf_call *, uint32_t width, hf_jobs **);
hf_status hf_jobs_spawn(hf_jobs *, hf_status (*)(hf_call *, void *), void *);
hf_status hf_jobs_join(hf_jobs *);
struct hf_budget *hf_budget_new(uint64_t bytes);
void hf_budget_free(struct hf_budget *);
hf_status hf_buf_get(hf_call *, size_t, struct hf_buf *);
void hf_buf_put(struct hf_buf *);

/* ---- url.c: parsing, origins, rewriting; http.c: hops, credentials, retries, trace; net module behind it ------------------------ */
struct hf_url {                            /* pieces of an http(s) URL; port filled in */
  const char *scheme, *user, *host, *path; /* path with query, without fragment */
  uint16_t port;
};
hf_status hf_url_parse(hf_call *, const char *url, struct hf_url *);
const char *hf_url_rewrite(hf_call *, const char *logical, bool *consent); /* HF_URL_REWRITE, for connecting */
const char *hf_url_unrewrite(hf_call *, const char *physical);             /* locations and links back to logical */
hf_status hf_http(hf_call *, const struct hf_http_req *, struct hf_http_resp *);
hf_status hf_backoff(hf_call *, uint32_t n, uint32_t wish_ms);
hf_status hf_digest_new(hf_call *, uint32_t algo, uint64_t size, hf_digester **);
void hf_digest_add(hf_digester *, const void *, size_t);
void hf_digest_end(hf_digester *, struct hf_digest *);
void hf_netstack_close(struct hf_netstack *);
/* One JSON line per request to --trace / HF_TRACE. */
struct hf_trace *hf_trace_open(hf_runtime *);
void hf_trace_close(struct hf_trace *);
struct hf_trace_row {
  const char *method, *url; /* logical URL */
  const char *connect;      /* URL that was connected to, NULL: the same */
  const char *error;        /* NULL: none */
  const char *key;          /* where the secret that went along came from; NULL: none, or not known */
  uint64_t bytes;
  uint32_t status, attempt;
  double ms;
};
void hf_trace_request(hf_runtime *, const struct hf_trace_row *);

/* ---- names.c: syntax of what names a file; each fails with HF_EINVAL and says why. hf_path_check is in hfcore.h ------------- */
hf_status hf_repo_check(hf_call *, const struct hf_repo *);
bool hf_is_commit(const char *); /* 40 lower-case hex digits */
hf_status hf_commit_check(hf_call *, const char *);
hf_status hf_etag_check(hf_call *, const char *);    /* 1 to 200 bytes, a safe file name */
hf_status hf_ref_check(hf_call *, const char *name); /* "main", "refs/pr/3" */

/* ---- sink.c: the wrapped sink; journal.c: its block journal; store.c: typed calls into a backend; fetch.c: the dispatcher ------- */
struct hf_sink_opts {
  struct hf_ingest what;
  uint32_t item; /* index for progress events */
  hf_store *store;
  struct hf_range only;        /* len 0: the whole file; else nothing but this is missing, and nothing is verified */
};
/* Wraps a store's sink; takes it over in every case. */
hf_status hf_sink_wrap(hf_call *, struct hf_sink *raw, const struct hf_sink_opts *, struct hf_sink **);
/* All there and right? Then the store's seal; ends the wrapped sink in every case. */
hf_status hf_sink_seal(hf_call *, struct hf_sink *, void **seal);
void hf_sink_abort(struct hf_sink *, int keep_partial);

#endif
