/* hub.h - what the files of the Hub pack share: the operation at hand, requests, JSON, repos, errors in words.
 * Private to sdk/hub. Strings that functions return live in the call's arena unless a comment says otherwise.
 * hf_hub_begin() comes first in every operation; everything after it knows endpoint, token and user agent. */
#ifndef HUB_H
#define HUB_H
#include <hf_hub.h>
#include <hfcore.h>
#include <jansson.h>
#include <stdbool.h>

#define HF_COUNT(a)          (sizeof(a) / sizeof((a)[0]))
#define HF_REFERENCE_VERSION "2.4.0"
#define TRY(x)                      \
  do {                              \
    hf_status try_ = (x);           \
    if (try_ != HF_OK) return try_; \
  } while (0)

/* One operation against the Hub. */
struct hf_hub {
  hf_call *call;
  hf_out *out;          /* where log lines go; NULL: the runtime's log */
  const char *endpoint; /* without trailing "/" */
  bool offline;
  bool ready;          /* headers and credentials are set; they are when the first request is near */
  const char *library; /* "huggingface-cli/2.4.0" */
  const char *token;   /* given by the user; NULL: the saved one */
  bool download;       /* the requests of a download are counted by the server */
};

/* The modules of the pack, one per file of rows. */
extern const struct hf_tasks hf_hub_tasks_auth, hf_hub_tasks_download, hf_hub_tasks_info, hf_hub_tasks_plugin,
    hf_hub_tasks_repos, hf_hub_tasks_repos_access, hf_hub_tasks_repos_admin, hf_hub_tasks_commit, hf_hub_tasks_cp,
    hf_hub_tasks_inference, hf_hub_tasks_lfs, hf_hub_tasks_upload;
extern const struct hf_tasks hf_hub_tasks_cache, hf_hub_tasks_card, hf_hub_tasks_jobs, hf_hub_tasks_spaces_live;
extern const struct hf_tasks hf_hub_tasks_endpoints, hf_hub_tasks_buckets, hf_hub_tasks_dataset_viewer;
extern const struct hf_tasks hf_hub_tasks_collections, hf_hub_tasks_discussions, hf_hub_tasks_leaderboard,
    hf_hub_tasks_papers, hf_hub_tasks_spaces, hf_hub_tasks_webhooks;
#define HF_HUB_TASKS(name_, summary_, rows_)                                                         \
  {                                                                                                  \
    .m = HF_MODULE(hf_tasks, HF_KIND_TASKS, name_, summary_, HF_THREADS_ANY, 10, 0), .tasks = rows_, \
    .run_row = hf_hub_run_row                                                                        \
  }

/* ---- hub.c: beginning, settings, words ------------------------------------------------------------------------------ */

/* token NULL: implicit. library NULL: "huggingface-cli/<reference>". */
hf_status hf_hub_begin(struct hf_hub *, hf_call *, hf_out *, const char *token, const char *library, bool download);
/* Headers and credentials on the call; once, before the first request. A call that stays local never reads a token. */
hf_status hf_hub_ready(struct hf_hub *);
const char *hf_hub_setting(hf_call *, const char *key); /* option of the call, else configuration; NULL: unset */
bool hf_hub_flag(hf_call *, const char *key);
int64_t hf_hub_number(hf_call *, const char *key, int64_t deflt);
const char *hf_hub_text(hf_call *, const char *fmt, ...) HF_PRINTF(2, 3); /* NULL: out of memory, error set */
hf_status hf_hub_fail(hf_call *, hf_status, const char *cls, const char *fmt, ...) HF_PRINTF(4, 5);
/* All values of an argument, in the arena of the call; *out NULL: none. */
hf_status hf_hub_repeated(hf_call *, const hf_args *, const char *name, const char ***out, uint32_t *count);
void hf_hub_log(struct hf_hub *, int32_t level, const char *fmt, ...) HF_PRINTF(3, 4);
/* "~" and "~user" are not expanded by anybody else; absolute, without "." and "..". */
const char *hf_hub_path(hf_call *, const char *path);
const char *hf_hub_home(hf_call *);      /* HF_HOME */
const char *hf_hub_cache_dir(hf_call *); /* HF_HUB_CACHE */
bool hf_hub_is_commit(const char *);     /* 40 lower-case hex digits */
bool hf_hub_is_hex(const char *, size_t digits);

/* ---- auth.c, agent.c --------------------------------------------------------------------------------------------------- */

/* The token to send, or NULL: the one given, else by auth.h's order. Never logged. */
hf_status hf_hub_token(struct hf_hub *, const char **token);
/* The same, and where it came from, for people: "environment HF_TOKEN". */
hf_status hf_hub_token_origin(struct hf_hub *, const char **token, const char **origin);
/* Is this origin one that may see the Hub's token? */
bool hf_hub_is_hub(const struct hf_hub *, const char *url);
hf_status hf_hub_credentials(struct hf_hub *);
/* The token for one more host of this call. */
hf_status hf_hub_credential_at(struct hf_hub *, const char *origin);
/* Whose token is this? What the server says of the account, or an error in the reference's words. auth_tasks.c. */
hf_status hf_hub_whoami(struct hf_hub *, const char *token, json_t **info);
const char *hf_hub_user_agent(struct hf_hub *);
/* Fetches the registry of agents when the copy on disk is older than a day. Never fails. */
void hf_hub_harness_renew(struct hf_hub *);
/* The agent that runs this program, by the registry on disk; arena; NULL: none. */
const char *hf_hub_harness_detect(hf_call *);
/* Version 4 UUID, 36 characters and NUL. */
void hf_hub_uuid(char out[37]);

/* ---- rest.c: requests --------------------------------------------------------------------------------------------------- */

struct hf_hub_req {
  const char *method, *url; /* method NULL: GET */
  const char *type;         /* of the body, NULL: none */
  const char *range;        /* "bytes=0-99"; NULL: all */
  const void *body;
  size_t body_len;
  struct hf_source *source;                     /* the body instead, all of it */
  struct hf_table headers;                      /* rows: struct hf_kv; at most 8 more */
  uint32_t tries, timeout_ms, redirects, flags; /* redirects 0: 20; HF_HTTP_* */
  bool identity, stay;                          /* identity: no compression; stay: a redirect is the answer */
  hf_status (*on_data)(hf_call *, void *, const void *, size_t); /* the body as it arrives, NULL: into the answer */
  void *on_data_arg;
};
hf_status hf_hub_send(struct hf_hub *, const struct hf_hub_req *, struct hf_http_resp *);
/* The same, and the body parsed: at most 64 MiB, 64 levels. *json is the caller's. */
hf_status hf_hub_json(struct hf_hub *, const struct hf_hub_req *, json_t **json);
/* scan.c: a short string member of an object of any size; "" when it is not there. */
hf_status hf_hub_scan(struct hf_hub *, const struct hf_hub_req *, const char *member, const char **value);
hf_status hf_hub_parse(hf_call *, const char *text, size_t len, const char *url, json_t **json);
/* json_text.c: any JSON value from its text (NULL: why), and its compact text (malloc'ed, *len without the NUL; NULL). */
json_t *hf_json_read(const char *, size_t len, json_error_t *why);
char *hf_json_write(const json_t *, size_t *len);
json_t *hf_json_copy(const json_t *); /* deep */
/* What writing would make of an object that was read: without blanks between. NULL: something in it is unusual, or is called
 * as `fine` does not like it; read it. */
char *hf_json_compact(const char *, size_t len, bool (*fine)(const char *name, size_t), size_t *len_out);
/* All items of a paginated listing; fn non-OK stops with that status (HF_PENDING: enough, no error). */
typedef hf_status (*hf_hub_item_fn)(void *arg, json_t *item);
hf_status hf_hub_pages(struct hf_hub *, const char *url, hf_hub_item_fn, void *arg);
const char *hf_hub_header(const struct hf_http_resp *, const char *name); /* lower-case name; NULL: not there */
/* URL of a route with the arguments filled in. `extra`: query text appended as it is. */
const char *hf_hub_url(struct hf_hub *, const struct hf_route *, const hf_args *);
/* Query text: grows by "key=value" quoted as a form. */
const char *hf_hub_query(hf_call *, const char *query, const char *key, const char *value);
/* The parts of the generic runner: question (true to `text`, unless --yes), request of the row's first route, result. */
hf_status hf_hub_confirm(hf_call *, hf_out *, const hf_args *, const char *text);
hf_status hf_hub_row_send(struct hf_hub *, const struct hf_task *, const hf_args *, struct hf_http_resp *);
hf_status hf_hub_done(hf_call *, hf_out *, const struct hf_task *, const hf_args *);
/* One request with a JSON body, not repeated; takes the body in every case (NULL: none). flags: HF_HTTP_*. */
hf_status hf_hub_send_json(struct hf_hub *, const char *method, const char *url, json_t *body, uint32_t flags,
                           struct hf_http_resp *);
/* What an answer that HF_HTTP_ANY_STATUS let through would have been as an error. */
hf_status hf_hub_raise(struct hf_hub *, const struct hf_hub_req *, const struct hf_http_resp *);
/* The generic runner of rows without a run function. */
hf_status hf_hub_run_row(hf_call *, void *state, const struct hf_task *, const hf_args *, hf_out *);
hf_status hf_hub_record(hf_out *, hf_call *, uint32_t what, json_t *);      /* takes json in every case */
hf_status hf_hub_say(hf_out *, hf_call *, uint32_t what, const char *text); /* a JSON string */
const char *hf_hub_get(const json_t *object, const char *key);              /* string member or NULL */

/* ---- env_map.c: --env, --secrets, --volume ---------------------------------------------------------------------------- */

/* [{"key": .., "value": ..}] of the arguments NAME and NAME_file; *list NULL when there are none. */
hf_status hf_hub_env_map(struct hf_hub *, const hf_args *, const char *name, json_t **list);
/* {"KEY": "VALUE"} of the same; never NULL. */
hf_status hf_hub_env_object(struct hf_hub *, const hf_args *, const char *name, json_t **map);
hf_status hf_hub_volumes(hf_call *, const hf_args *, json_t **list);
/* Says that a secret typed in place is seen by others. */
void hf_hub_env_warn(hf_call *, hf_out *, const hf_args *);

/* ---- errors.c ---------------------------------------------------------------------------------------------------------------- */

void hf_hub_http_error(hf_call *, const struct hf_http_req *, const struct hf_http_resp *, struct hf_error *);
/* Repo named by an API or resolve URL: *type is static, *id points into url; false: none. */
bool hf_hub_repo_in_url(const char *url, const char **type, const char **id, size_t *id_len);
/* A copy of the call's error that survives clear(). */
hf_status hf_hub_error_keep(hf_call *, struct hf_error *);
bool hf_hub_error_is(const struct hf_error *, const char *cls);
/* The cause as Python words it: "[Errno 111] Connection refused". */
const char *hf_hub_cause(hf_call *, const struct hf_error *);

/* ---- api.c: a task as a typed function ------------------------------------------------------------------------------------ */

/* Takes args in every case; the task's result or description is the answer's json, `id` the member of it that is one. */
hf_status hf_hub_task_result(hf_runtime *, const char *task, json_t *args, const char *id, const struct hf_hub_opts *,
                             struct hf_hub_result **);

/* ---- names.c: repo ids, file names, revisions; uri.c: hf:// addresses ------------------------------------------------ */

const char *hf_hub_repo_problem(hf_call *, const char *id); /* a sentence; NULL: the id is fine */
hf_status hf_hub_check_repo(hf_call *, const char *id);
hf_status hf_hub_check_type(hf_call *, const char *type);
hf_status hf_hub_check_file(hf_call *, const char *path);
struct hf_hub_uri {
  const char *type, *id, *revision, *path; /* revision NULL: none; path "": the root */
};
hf_status hf_hub_parse_uri(hf_call *, const char *uri, struct hf_hub_uri *);
bool hf_hub_is_page(hf_call *, const char *text); /* http(s), or a host of the Hub in front */
/* The same where text may be something else: *is says whether it is an address. */
hf_status hf_hub_try_uri(hf_call *, const char *text, struct hf_hub_uri *, bool *is);
/* "<endpoint>/<prefix><id>/resolve/<revision>/<path>" */
const char *hf_hub_resolve_url(struct hf_hub *, const struct hf_repo *, const char *revision, const char *path);
/* "<endpoint>/api/<type>s/<id>" */
const char *hf_hub_api_url(struct hf_hub *, const struct hf_repo *);
const char *hf_hub_quote(hf_call *, const char *, const char *keep);

/* ---- patterns.c: Python's fnmatchcase ------------------------------------------------------------------------------------------- */

struct hf_hub_patterns {
  const char *const *allow, *const *ignore;
  uint32_t allow_count, ignore_count;
};
bool hf_hub_fnmatch(const char *pattern, const char *path);
bool hf_hub_wanted(hf_call *, const struct hf_hub_patterns *, const char *path);

/* ---- shape.c, card.c: what the Hub says -> what the reference's data classes hold ------------------------------------------------ */

/* A field of a data class; what a row cannot say has a function. */
struct hf_hub_field {
  const char *name, *from,
      *or_from; /* member of the result, of the answer ("a/b"); used when `from` is false or absent */
  hf_status (*shape)(hf_call *, const json_t *whole, const json_t *value, json_t **out);
  const struct hf_hub_field *fields; /* of the object, or of each object of the list, that the value is */
  size_t field_count;
  const char *deflt; /* JSON, when there is none */
  bool needed;
};
#define HF_HUB_FIELDS(f) .fields = f, .field_count = HF_COUNT(f)
hf_status hf_hub_shape_fields(hf_call *, const struct hf_hub_field *, size_t, const json_t *raw, json_t **out);
hf_status hf_hub_field_date(hf_call *, const json_t *whole, const json_t *value, json_t **out);
hf_status hf_hub_shape_info(hf_call *, const char *type, const json_t *raw, json_t **out);
hf_status hf_hub_shape_entry(hf_call *, const json_t *raw, json_t **out);  /* of a tree */
hf_status hf_hub_shape_commit(hf_call *, const json_t *raw, json_t **out); /* of a history */
hf_status hf_hub_shape_date(hf_call *, const char *text, json_t **out);
json_t *hf_hub_shape_card(const char *type, const json_t *raw);
/* The same without the null members of the card itself only, as a card class gives it; *bad: its model-index is none. */
json_t *hf_hub_order_card(const char *type, const json_t *raw, bool *bad);
json_t *hf_hub_without_null(const json_t *); /* a copy without null members, at every depth */

/* ---- repos.c: one repo ------------------------------------------------------------------------------------------------------------ */

/* The commit of a revision: the same request, nothing kept of the answer. "" when it names none. */
hf_status hf_hub_sha(struct hf_hub *, const struct hf_repo *, const char *revision, const char **sha);
hf_status hf_hub_info(struct hf_hub *, const struct hf_repo *, const char *revision, const char *expand, json_t **raw);
hf_status hf_hub_tree(struct hf_hub *, const struct hf_repo *, const char *revision, const char *path, bool recursive,
                      bool expand, hf_hub_item_fn, void *);
hf_status hf_hub_refs(struct hf_hub *, const struct hf_repo *, bool pulls, json_t **);
hf_status hf_hub_commits(struct hf_hub *, const struct hf_repo *, const char *revision, bool formatted, hf_hub_item_fn,
                         void *);
/* Shaped repos of a type; the arguments' filters apply (args may be NULL), limit < 0: all. */
hf_status hf_hub_list(struct hf_hub *, const char *type, const hf_args *, const char *expand, int64_t limit,
                      json_t **items);

/* ---- resolve.c: where a file is -------------------------------------------------------------------------------------- */

struct hf_hub_meta {
  const char *commit, *etag, *url, *xet_hash; /* url: where the bytes are; xet_hash NULL: not a Xet file */
  uint64_t size;                              /* HF_SIZE_UNKNOWN: not said */
};
/* patient: more tries and time. *absent: after RemoteEntryNotFoundError, the commit that lacks the file, or NULL. */
hf_status hf_hub_head(struct hf_hub *, const struct hf_repo *, const char *revision, const char *path, bool patient,
                      struct hf_hub_meta *, const char **absent);
/* What bytes named by this etag must have; algo NONE when the etag promises nothing. */
void hf_hub_digest(const char *etag, struct hf_digest *);

/* ---- want.c: what a download asks for, and the stores it goes through; file.c, snapshot.c: doing it ------------------ */

struct hf_hub_want {
  struct hf_repo repo;
  const char *revision;              /* never NULL */
  const char *cache_dir, *local_dir; /* as given; NULL: not given */
  struct hf_hub_patterns patterns;
  uint32_t width;
  bool force, dry_run, local_only;
  hf_out *pipe;         /* one file: its bytes go there, and nothing is kept; NULL: into a store */
  struct hf_range only; /* one file: nothing but these bytes of it; len 0: all */
};
struct hf_hub_plan { /* one file of a dry run */
  const char *path;
  uint64_t size; /* HF_SIZE_UNKNOWN: not known */
  bool will_download;
};
struct hf_hub_stores {
  hf_store *store, *cache; /* cache: the Hub cache behind a local folder; NULL: none */
  const char *root;        /* folder of the store; NULL: it has none */
  bool local;              /* a plain folder: no refs */
};
hf_status hf_hub_stores_open(struct hf_hub *, const struct hf_hub_want *, struct hf_hub_stores *);
void hf_hub_stores_close(struct hf_hub_stores *);
/* Not there is no error: clears the call and is false. Other failures stay, as *st. */
bool hf_hub_found(hf_call *, hf_status *st);
bool hf_hub_find(struct hf_hub *, hf_store *, const struct hf_repo *, const char *commit, const char *path,
                 hf_status *st, struct hf_st_file *);
/* Commit that a revision was when it was last asked for; NULL: not known here. */
const char *hf_hub_saved_commit(struct hf_hub *, const struct hf_hub_want *, const struct hf_hub_stores *);
/* Remembers it, when a snapshot of that commit is there to be found by it; only logs what goes wrong. */
void hf_hub_save_commit(struct hf_hub *, const struct hf_hub_want *, const struct hf_hub_stores *, const char *commit);
/* The local folder that shows a commit. */
hf_status hf_hub_folder(struct hf_hub *, const struct hf_hub_want *, const struct hf_hub_stores *, const char *commit,
                        const char **path);
hf_status hf_hub_plan_file(struct hf_hub *, const struct hf_hub_want *, const struct hf_hub_stores *,
                           const struct hf_hub_meta *, const char *path, struct hf_hub_plan *);
typedef void (*hf_hub_done_fn)(void *arg, uint32_t i, const struct hf_st_file *);
hf_status hf_hub_fetch(struct hf_hub *, const struct hf_hub_want *, const struct hf_hub_stores *, const char *commit,
                       struct hf_fetch_file *, uint32_t count, hf_hub_done_fn, void *arg);
/* bases.c: sources of older versions of the file that a store has; *n: room in, number out. */
hf_status hf_hub_bases(hf_call *, hf_store *, const struct hf_repo *, const char *commit, const struct hf_fetch_file *,
                       struct hf_tr_base *, uint32_t *n);
/* The file as it is in a plain folder, as one more row; commit: of the new version. */
void hf_hub_base_in_folder(struct hf_hub *, hf_store *folder, const struct hf_repo *, const char *commit,
                           const struct hf_fetch_file *, struct hf_tr_base *, uint32_t *n);
/* Where a failed look at the Hub leads: HF_OK means look for a local copy; else the error to give, already set. */
hf_status hf_hub_fall_back(struct hf_hub *, hf_status st, struct hf_error *);
/* "Local entry not found. ..", or the cause itself where no local copy could help. */
hf_status hf_hub_no_copy(struct hf_hub *, const struct hf_error *cause);

/* All files of a commit, paths ascending. Arrays are malloc'ed, strings in the arena. */
struct hf_hub_tree_list {
  struct hf_tree_entry *rows;
  uint32_t count, room;
};
void hf_hub_tree_free(struct hf_hub_tree_list *);
/* From the store; false: not known there. */
bool hf_hub_tree_saved(struct hf_hub *, const struct hf_hub_stores *, const struct hf_repo *, const char *commit,
                       struct hf_hub_tree_list *);
hf_status hf_hub_tree_asked(struct hf_hub *, const struct hf_repo *, const char *commit, struct hf_hub_tree_list *);
/* What a HEAD of the entry would have said. */
hf_status hf_hub_tree_meta(struct hf_hub *, const struct hf_repo *, const char *commit, const struct hf_tree_entry *,
                           struct hf_hub_meta *);

/* pipe.c: a store that hands bytes on as records, or puts a part of them into memory; good for one file. */
struct hf_hub_pipe {
  hf_out *out;
  uint64_t written;
  uint8_t *window; /* instead of out: at.len bytes */
  struct hf_range at;
};
hf_status hf_hub_pipe_open(hf_call *, struct hf_hub_pipe *, hf_store **);
hf_status hf_hub_copy_out(hf_call *, hf_out *, const char *path); /* a local file as records */

/* place.c: the finished file `made` gets its name; a device or pipe of that name is written into. 0 or errno, then `made` stays. */
int hf_hub_place(const char *made, const char *name);
/* cp.c: the folders that a path names, the last name left out. */
hf_status hf_hub_folders_above(hf_call *, const char *path);
/* What the temporary name of such a file begins with: its own, or one in TMPDIR. NULL: out of memory, error set. */
const char *hf_hub_place_beside(hf_call *, const char *name);

/* *path: where it is, or with dry_run *plan; NULL: its bytes went into the pipe. */
hf_status hf_hub_file(struct hf_hub *, const struct hf_hub_want *, const char *name, const char **path,
                      struct hf_hub_plan *plan);
/* *path: the folder, or with dry_run *plans (arena). */
hf_status hf_hub_snapshot(struct hf_hub *, const struct hf_hub_want *, const char **path, struct hf_hub_plan **plans,
                          uint32_t *count);

#endif
