/* server.h - the server as its parts see it: configuration, requests, replies, routes.
 * A handler fills r->reply and returns; http.c sends it, through libmicrohttpd or, when a fault applies, through fault_send.c.
 * Everything that arrives is bounded before a handler sees it. */
#ifndef DEVHUB_SERVER_H
#define DEVHUB_SERVER_H
#include "access.h"
#include "date.h"
#include "fault.h"
#include "log.h"
#include "store.h"
#include "text.h"
#include <microhttpd.h>

enum origin { ORIGIN_HUB, ORIGIN_CDN, ORIGINS };
enum method { METHOD_GET = 1, METHOD_HEAD = 2, METHOD_POST = 4, METHOD_PUT = 8, METHOD_DELETE = 16, METHOD_PATCH = 32 };

/* At most `count` requests in each window of `seconds`, for each token; count 0: no limit (limit.c). */
enum { LIMIT_HEADERS = 1, LIMIT_RETRY_AFTER = 2 };
struct limit {
  unsigned count, seconds, styles;
  pthread_mutex_t lock;
  struct window *windows;
};

struct oauth; /* oauth.c */
struct jobs;  /* model_job.c */

struct listener {
  struct server *server;
  enum origin origin;
};
struct server {
  struct store *store;
  struct access access;
  struct log log;
  struct fault_rules faults;
  struct fault_workers workers;
  struct MHD_Daemon *daemon[ORIGINS];
  struct listener listener[ORIGINS];
  char url[ORIGINS][300]; /* http://host:port */
  unsigned char cdn_key[32];
  unsigned cdn_seconds;              /* how long a signed URL lives */
  bool resolve_cache;                /* plain files are redirected to /api/resolve-cache, as the Hub may do */
  unsigned upload_seconds;           /* the same for URLs to upload to */
  uint64_t part_size, lfs_threshold; /* larger objects are uploaded in parts; files of this size are LFS */
  size_t log_bodies;                 /* how much of a JSON body a log row keeps */
  struct limit limit;
  struct oauth *oauth;
  struct jobs *jobs;
  pthread_mutex_t mapping_lock;
  json_t *mapping; /* which providers serve a model, where a program said so; NULL: nowhere */
};

enum body_kind { BODY_NONE, BODY_TEXT, BODY_FILE, BODY_GENERATED };
struct body {
  enum body_kind kind;
  char *data; /* BODY_TEXT, owned */
  int fd;     /* BODY_FILE, owned */
  uint64_t place, seed;
  uint64_t total, first, length; /* the whole, and the window of it that is sent */
  bool events;                   /* BODY_TEXT: sent event by event, without a Content-Length */
};
void dh_body_free(struct body *b);
bool dh_body_read(const struct body *b, uint64_t at, void *out, size_t size); /* `at` counts in the whole */

struct header {
  char *name, *value;
};
enum { HEADERS_MAX = 32, PARAMETERS_MAX = 64 };
struct reply {
  int status;
  struct header headers[HEADERS_MAX];
  size_t header_count;
  struct body body;
};
void dh_reply_header(struct reply *p, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));
const char *dh_reply_find(const struct reply *p, const char *name);
void dh_reply_set(struct reply *p, const char *name, const char *value); /* value NULL: dropped */
void dh_reply_clear(struct reply *p);

struct parameter {
  const char *key, *value;
};
struct request {
  struct server *server;
  struct MHD_Connection *connection;
  enum origin origin;
  enum method method;
  char method_name[16];
  char *target, *path, *query; /* as sent, still encoded */
  char *query_copy;
  struct parameter parameters[PARAMETERS_MAX];
  size_t parameter_count;
  const struct route *route;
  enum repo_type type;
  char repo_name[NAME_ROOM], revision[REVISION_ROOM], file[PATH_ROOM], name[256];
  const struct token *token;                          /* NULL: anonymous, or not valid */
  bool token_invalid, too_large, taken_over, delayed; /* the last two are set by fault_send.c */
  struct repo repo;                                   /* set for routes with ROUTE_REPO */
  struct commit commit;                               /* set for routes with ROUTE_REVISION */
  struct text body;
  uint64_t body_size;    /* what has come in */
  bool entered, refused; /* a streamed body: what dh_route_enter said before it */
  bool held;             /* a fault has stopped the body once */
  struct fault early;    /* the fault a write met before it was carried out */
  void *stream;          /* what the route's stream keeps */
  struct text kept;      /* the start of the body, for the log */
  char id[40];
  uint64_t log_number, acked_before;
  struct reply reply;
};
const char *dh_request_header(const struct request *r, const char *name);
const char *dh_request_parameter(const struct request *r, const char *key);
bool dh_request_flag(const struct request *r, const char *key); /* true, 1, yes */
uint64_t dh_request_limit(const struct request *r, uint64_t otherwise, uint64_t max);
/* The absolute URL of this request with one parameter replaced: Link rel="next". */
void dh_reply_next(struct request *r, const char *key, const char *value);

void dh_reply_json(struct request *r, int status, json_t *value);                    /* takes the value */
void dh_reply_text(struct request *r, int status, const char *type, struct text *t); /* takes the text */
void dh_reply_error(struct request *r, int status, const char *code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void dh_reply_failed(struct request *r, int rc); /* STORE_FAILED and out of memory: 500 */
/* The content of a blob: status 200, 206, 304 or 416 by the request's range and conditions; etag without quotes. */
void dh_reply_blob(struct request *r, const struct blob *b, const char *etag);

enum route_flags {
  ROUTE_REPO = 1,     /* the repo must exist and be visible: r->repo */
  ROUTE_REVISION = 2, /* and the revision: r->commit */
  ROUTE_GATED = 4,    /* and a gated repo must have let this token in */
  ROUTE_CDN = 8,      /* on the CDN origin instead of the Hub's */
  ROUTE_CONTROL = 16, /* this server's own interface: never logged, never faulted, not for web pages */
  ROUTE_WRITE = 32,   /* and the token must be allowed to write to the repo */
  ROUTE_LOGIN = 64,   /* somebody must be signed in, unless this server knows no tokens */
  ROUTE_LFS = 128,    /* Git LFS: other media type and error shape, Basic authorization */
  ROUTE_SECRET = 256  /* the body is never logged */
};
/* A body that is taken as it comes. begin is called after dh_route_enter; false: the reply says no. */
struct stream {
  bool (*begin)(struct request *r);
  void (*data)(struct request *r, const char *data, size_t size);
  void (*end)(struct request *r); /* always, when the request is freed; r->stream may be NULL by then */
};
struct route {
  unsigned methods;
  const char *pattern; /* {types} {repo} {revision} {path} {name} and literal segments */
  void (*handle)(struct request *r);
  unsigned flags;
  size_t body_max;
  const struct stream *stream;
};
const struct route *dh_route_find(struct request *r); /* fills the parts of the path; NULL: no such route */
bool dh_route_enter(struct request *r);               /* checks what the flags ask for; false: the reply says no */

const char *dh_request_user(const struct request *r);        /* the name writes are made under */
bool dh_request_writes(struct request *r, const char *repo); /* false: the reply says no */
bool dh_request_contributes(struct request *r);              /* may open a pull request; false: the reply says no */
bool dh_limit_enter(struct request *r);                      /* false: the reply is a 429 */
void dh_limit_end(struct limit *limit);
struct oauth *dh_oauth_new(void);
void dh_oauth_free(struct oauth *o);
/* URLs that end: path and query with an expiry and a signature, on one of the origins as this client can reach it. */
void dh_origin(const struct request *r, struct text *url, enum origin origin);
void dh_sign(struct request *r, struct text *url, enum origin origin, const char *path, unsigned seconds);
/* {"url"} of a page: the Hub's origin, the type's prefix, the id and a tail. */
json_t *dh_repo_url(const struct request *r, enum repo_type type, const char *name, const char *tail);
int64_t dh_now(void);
/* The answer to what the store said of a write: 409, 412, 404, 400 or 500. */
void dh_reply_refused(struct request *r, int rc, const char *problem);
bool dh_signed(struct request *r); /* false: the reply is a storage's 403 */
void dh_storage_error(struct request *r, int status, const char *code, const char *message);

struct serve_options {
  const char *host, *folder, *ready_file, *log_file;
  uint16_t port, cdn_port;
  unsigned threads;
};
bool dh_server_start(struct server *s, const struct serve_options *o);
void dh_server_stop(struct server *s);

/* Handlers, by file. */
void dh_info(struct request *r), dh_info_revision(struct request *r), dh_list(struct request *r);
void dh_tree(struct request *r), dh_paths_info(struct request *r), dh_refs(struct request *r),
    dh_commits(struct request *r);
void dh_resolve(struct request *r), dh_resolve_cache(struct request *r), dh_raw(struct request *r),
    dh_cdn(struct request *r);
void dh_whoami(struct request *r), dh_harnesses(struct request *r), dh_tags_by_type(struct request *r);
void dh_telemetry(struct request *r), dh_validate_yaml(struct request *r), dh_auth_check(struct request *r);
void dh_create(struct request *r), dh_delete(struct request *r), dh_move(struct request *r),
    dh_duplicate(struct request *r), dh_settings(struct request *r), dh_repos_list(struct request *r);
void dh_branch(struct request *r), dh_tag(struct request *r), dh_super_squash(struct request *r);
void dh_collections(struct request *r), dh_collection_make(struct request *r), dh_collection(struct request *r);
void dh_collection_change(struct request *r), dh_collection_item(struct request *r);
void dh_webhooks(struct request *r), dh_webhook_make(struct request *r), dh_webhook(struct request *r);
void dh_webhook_enable(struct request *r), dh_webhook_disable(struct request *r);
void dh_like(struct request *r), dh_likes(struct request *r), dh_likers(struct request *r);
void dh_access_list(struct request *r), dh_access_handle(struct request *r), dh_access_grant(struct request *r),
    dh_access_ask(struct request *r);
void dh_preupload(struct request *r), dh_commit(struct request *r);
extern const struct stream dh_commit_stream;
void dh_discussions(struct request *r), dh_discussion(struct request *r), dh_discussion_open(struct request *r),
    dh_discussion_change(struct request *r);
void dh_lfs_batch(struct request *r), dh_lfs_verify(struct request *r), dh_lfs_locks(struct request *r),
    dh_lfs_duplicate(struct request *r), dh_lfs_files(struct request *r), dh_lfs_drop(struct request *r);
void dh_upload_put(struct request *r), dh_upload_complete(struct request *r);
extern const struct stream dh_object_stream, dh_part_stream, dh_blob_stream;
void dh_oauth_device(struct request *r), dh_oauth_token(struct request *r), dh_oauth_page(struct request *r),
    dh_control_oauth(struct request *r);
void dh_control_status(struct request *r), dh_control_log(struct request *r), dh_control_reset(struct request *r);
void dh_control_faults(struct request *r), dh_control_blob(struct request *r), dh_control_generate(struct request *r);
void dh_control_commit(struct request *r), dh_control_rename(struct request *r), dh_control_mapping(struct request *r);
void dh_model_post(struct request *r), dh_model_job(struct request *r), dh_model_media(struct request *r),
    dh_model_list(struct request *r), dh_model_one(struct request *r), dh_model_health(struct request *r),
    dh_model_about(struct request *r), dh_model_tasks(struct request *r);
/* The providers that serve a model, for its page; task NULL: none. */
json_t *dh_model_mapping(struct server *s, const char *repo, const char *task);
#endif
