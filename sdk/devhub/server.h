/* server.h - the server as its parts see it: configuration, requests, replies, routes.
 * A handler fills r->reply and returns; http.c sends it, through libmicrohttpd or, when a fault applies, through fault_send.c.
 * Everything that arrives is bounded before a handler sees it. */
#ifndef DEVHUB_SERVER_H
#define DEVHUB_SERVER_H
#include "access.h"
#include "fault.h"
#include "log.h"
#include "store.h"
#include "text.h"
#include <microhttpd.h>

enum origin { ORIGIN_HUB, ORIGIN_CDN, ORIGINS };
enum method { METHOD_GET = 1, METHOD_HEAD = 2, METHOD_POST = 4, METHOD_PUT = 8, METHOD_DELETE = 16 };

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
  unsigned cdn_seconds; /* how long a signed URL lives */
  bool resolve_cache;   /* plain files are redirected to /api/resolve-cache, as the Hub may do */
};

enum body_kind { BODY_NONE, BODY_TEXT, BODY_FILE, BODY_GENERATED };
struct body {
  enum body_kind kind;
  char *data; /* BODY_TEXT, owned */
  int fd;     /* BODY_FILE, owned */
  uint64_t place, seed;
  uint64_t total, first, length; /* the whole, and the window of it that is sent */
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
  char repo_name[NAME_ROOM], revision[REVISION_ROOM], file[PATH_ROOM];
  const struct token *token;                          /* NULL: anonymous, or not valid */
  bool token_invalid, too_large, taken_over, delayed; /* the last two are set by fault_send.c */
  struct repo repo;                                   /* set for routes with ROUTE_REPO */
  struct commit commit;                               /* set for routes with ROUTE_REVISION */
  struct text body;
  struct blob_put *upload;
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
json_t *dh_date_json(int64_t seconds);
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
  ROUTE_UPLOAD = 32   /* the body is streamed into a blob: r->upload */
};
struct route {
  unsigned methods;
  const char *pattern; /* {types} {repo} {revision} {path} {name} and literal segments */
  void (*handle)(struct request *r);
  unsigned flags;
  size_t body_max;
};
const struct route *dh_route_find(struct request *r); /* fills the parts of the path; NULL: no such route */
bool dh_route_enter(struct request *r);               /* checks what the flags ask for; false: the reply says no */

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
void dh_telemetry(struct request *r);
void dh_control_status(struct request *r), dh_control_log(struct request *r), dh_control_reset(struct request *r);
void dh_control_faults(struct request *r), dh_control_blob(struct request *r), dh_control_generate(struct request *r);
void dh_control_commit(struct request *r), dh_control_rename(struct request *r);
#endif
