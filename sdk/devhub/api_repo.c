/* api_repo.c - GET /api/{types} and /api/{types}/{id}: what a repo looks like from outside.
 * A property is a row: its name, the repo types that have it, and where it is shown without being asked for (in an info, in
 * a list, in a list with full=true); expand= picks rows by name. */
#include "server.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIST_MAX = 1000 };

enum {
  MODEL = 1 << REPO_MODEL,
  DATASET = 1 << REPO_DATASET,
  SPACE = 1 << REPO_SPACE,
  KERNEL = 1 << REPO_KERNEL,
  EVERY = MODEL | DATASET | SPACE | KERNEL
};
enum { IN_INFO = 1, IN_LIST = 2, IN_FULL = 4, ON_CONFIG = 8, ON_CARD = 16 };

struct subject {
  struct request *request;
  const struct repo *repo;
  const struct commit *commit;
  const json_t *meta;
};
typedef json_t *(*property_value)(const struct subject *s, const char *name); /* NULL: left out */

static json_t *value_author(const struct subject *s, const char *name) {
  (void)name;
  const char *slash = strchr(s->repo->name, '/');
  return slash ? json_stringn(s->repo->name, (size_t)(slash - s->repo->name)) : NULL;
}

static json_t *value_sha(const struct subject *s, const char *name) {
  (void)name;
  return json_string(s->commit->oid);
}

static json_t *value_date(const struct subject *s, const char *name) {
  return dh_date_json(name[0] == 'c' ? s->repo->created : s->commit->date);
}

static json_t *value_private(const struct subject *s, const char *name) {
  return json_boolean(name[0] == 'p' ? s->repo->private : s->repo->disabled);
}

static json_t *value_gated(const struct subject *s, const char *name) {
  (void)name;
  return s->repo->gated[0] ? json_string(s->repo->gated) : json_false();
}

static json_t *value_downloads(const struct subject *s, const char *name) {
  return json_integer(strcmp(name, "downloadsAllTime") == 0 ? s->repo->downloads * 12 : s->repo->downloads);
}

static json_t *value_likes(const struct subject *s, const char *name) {
  return json_integer(name[0] == 't' ? s->repo->likes / 10 : s->repo->likes);
}

static json_t *value_meta(const struct subject *s, const char *name) {
  json_t *value = json_object_get(s->meta, name);
  return value ? json_incref(value) : NULL;
}

static json_t *value_card(const struct subject *s, const char *name) {
  json_t *value = json_object_get(json_object_get(s->meta, "cardData"), name);
  return value ? json_incref(value) : NULL;
}

static json_t *value_empty(const struct subject *s, const char *name) {
  (void)s;
  (void)name;
  return json_array();
}

static json_t *value_inference(const struct subject *s, const char *name) {
  const char *task = json_string_value(json_object_get(s->meta, "pipeline_tag"));
  if (strcmp(name, "inference") == 0) return task ? json_string("warm") : NULL;
  return dh_model_mapping(s->request->server, s->repo->name, task);
}

static json_t *value_region(const struct subject *s, const char *name) {
  (void)s;
  (void)name;
  return json_string("us");
}

static json_t *value_description(const struct subject *s, const char *name) {
  (void)name;
  char text[300];
  snprintf(text, sizeof text, "\n\t\n\t\n\t\t%s\n\t\n\n", s->repo->name);
  return json_string(text);
}

/* The words of a space's id, as its host name has them. */
static void subdomain(const struct repo *repo, char out[NAME_ROOM]) {
  size_t i = 0;
  for (; repo->name[i] && i + 1 < NAME_ROOM; i++) {
    char c = repo->name[i];
    out[i] = c == '/' || c == '_' || c == '.' ? '-' : c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
  }
  out[i] = 0;
}

static json_t *value_subdomain(const struct subject *s, const char *name) {
  char sub[NAME_ROOM];
  subdomain(s->repo, sub);
  return name[0] == 's' ? json_string(sub) : json_sprintf("https://%s.hf.space", sub);
}

static json_t *value_runtime(const struct subject *s, const char *name) {
  (void)name;
  char sub[NAME_ROOM];
  subdomain(s->repo, sub);
  return json_pack("{s:s, s:{s:s, s:s}, s:n, s:{s:i, s:i}, s:[{s:s+, s:s}]}", "stage", "RUNNING", "hardware", "current",
                   "cpu-basic", "requested", "cpu-basic", "storage", "replicas", "current", 1, "requested", 1,
                   "domains", "domain", sub, ".hf.space", "stage", "READY");
}

static json_t *value_model_id(const struct subject *s, const char *name) {
  (void)name;
  return json_string(s->repo->name);
}

static json_t *value_security(const struct subject *s, const char *name) {
  (void)name;
  if (!dh_request_flag(s->request, "securityStatus")) return NULL;
  return json_pack("{s:b, s:[]}", "scansDone", 1, "filesWithIssues");
}

static bool sibling_add(void *arg, const struct entry *e) {
  json_t *const *state = arg;
  if (e->directory) return true;
  json_t *item = json_pack("{s:s}", "rfilename", e->path);
  if (item && json_is_true(state[1])) {
    json_object_set_new(item, "size", json_integer(e->size));
    json_object_set_new(item, "blobId", json_string(e->oid));
    if (e->lfs)
      json_object_set_new(item, "lfs",
                          json_pack("{s:s, s:I, s:I}", "sha256", e->blob.sha256, "size", (json_int_t)e->size,
                                    "pointerSize", (json_int_t)e->pointer));
  }
  return item && json_array_append_new(state[0], item) == 0;
}

static json_t *value_siblings(const struct subject *s, const char *name) {
  (void)name;
  json_t *state[2] = {json_array(), json_boolean(dh_request_flag(s->request, "blobs"))};
  struct tree_query q = {.tree = s->commit->tree, .folder = "", .recursive = true, .limit = INT64_MAX};
  if (dh_store_tree(s->request->server->store, &q, sibling_add, state) != STORE_OK) {
    json_decref(state[0]);
    return NULL;
  }
  return state[0];
}

static const struct property {
  const char *name;
  property_value value;
  unsigned types, where;
} properties[] = {
    {"modelId", value_model_id, MODEL, IN_INFO | IN_LIST},
    {"author", value_author, EVERY, IN_INFO | IN_FULL},
    {"sha", value_sha, EVERY, IN_INFO | IN_FULL},
    {"lastModified", value_date, EVERY, IN_INFO | IN_FULL},
    {"private", value_private, EVERY, IN_INFO | IN_LIST},
    {"gated", value_gated, EVERY, IN_INFO | IN_FULL},
    {"disabled", value_private, EVERY, IN_INFO | IN_FULL},
    {"downloads", value_downloads, MODEL | DATASET | KERNEL, IN_INFO | IN_LIST},
    {"downloadsAllTime", value_downloads, MODEL | DATASET, 0},
    {"likes", value_likes, EVERY, IN_INFO | IN_LIST},
    {"trendingScore", value_likes, MODEL | DATASET | SPACE, IN_LIST},
    {"tags", value_meta, MODEL | DATASET | SPACE, IN_INFO | IN_LIST},
    {"pipeline_tag", value_meta, MODEL, IN_INFO | IN_LIST},
    {"library_name", value_meta, MODEL, IN_INFO | IN_LIST},
    {"description", value_description, DATASET, IN_INFO | IN_FULL},
    {"createdAt", value_date, MODEL | DATASET | SPACE, IN_INFO | IN_LIST},
    {"sdk", value_meta, SPACE, IN_INFO | IN_LIST},
    {"host", value_subdomain, SPACE, IN_INFO},
    {"subdomain", value_subdomain, SPACE, IN_INFO},
    {"runtime", value_runtime, SPACE, IN_INFO},
    {"models", value_card, SPACE, IN_INFO},
    {"datasets", value_card, SPACE, IN_INFO},
    {"region", value_region, SPACE, 0},
    {"config", value_meta, MODEL, IN_INFO | ON_CONFIG},
    {"cardData", value_meta, MODEL | DATASET | SPACE, IN_INFO | ON_CARD},
    {"transformersInfo", value_meta, MODEL, IN_INFO},
    {"safetensors", value_meta, MODEL, IN_INFO},
    {"model-index", value_card, MODEL, 0},
    {"widgetData", value_empty, MODEL, 0},
    {"baseModels", value_card, MODEL, 0},
    {"childrenModelCount", NULL, MODEL, 0},
    {"evalResults", value_empty, MODEL, 0},
    {"gguf", value_meta, MODEL, 0},
    {"inference", value_inference, MODEL, 0},
    {"inferenceProviderMapping", value_inference, MODEL, 0},
    {"mask_token", NULL, MODEL, 0},
    {"resourceGroup", NULL, MODEL | DATASET | SPACE, 0},
    {"citation", value_card, DATASET, 0},
    {"mainSize", value_meta, DATASET, 0},
    {"paperswithcode_id", value_card, DATASET, 0},
    {"siblings", value_siblings, EVERY, IN_INFO | IN_FULL},
    {"spaces", value_empty, MODEL, IN_INFO},
    {"securityRepoStatus", value_security, MODEL, IN_INFO},
    {"usedStorage", value_meta, MODEL | DATASET | SPACE, IN_INFO},
};
enum { PROPERTIES = sizeof properties / sizeof *properties };

static bool expanded(const struct request *r, const char *name) {
  for (size_t i = 0; i < r->parameter_count; i++)
    if (strcmp(r->parameters[i].key, "expand") == 0 && strcmp(r->parameters[i].value, name) == 0) return true;
  return false;
}

/* Every expand= must name a property; otherwise 400, as the Hub answers. */
static bool expand_valid(struct request *r) {
  for (size_t i = 0; i < r->parameter_count; i++) {
    if (strcmp(r->parameters[i].key, "expand") != 0) continue;
    size_t k = 0;
    while (k < PROPERTIES &&
           (strcmp(properties[k].name, r->parameters[i].value) != 0 || !(properties[k].types & (1u << r->type))))
      k++;
    if (k == PROPERTIES) {
      dh_reply_error(r, 400, NULL, "\"expand\" must not name the unknown property \"%.100s\"", r->parameters[i].value);
      return false;
    }
  }
  return true;
}

static json_t *subject_json(const struct subject *s, unsigned where) {
  struct request *r = s->request;
  json_t *all = json_object();
  bool picked = dh_request_parameter(r, "expand") != NULL;
  json_object_set_new(all, "_id", json_sprintf("%024llx", (unsigned long long)s->repo->id));
  json_object_set_new(all, "id", json_string(s->repo->name));
  for (size_t i = 0; i < PROPERTIES; i++) {
    const struct property *p = &properties[i];
    if (!(p->types & (1u << s->repo->type))) continue;
    if (picked ? !expanded(r, p->name) : !(p->where & where)) continue;
    json_t *value = p->value ? p->value(s, p->name) : NULL;
    if (value) json_object_set_new(all, p->name, value);
  }
  return all;
}

static void info(struct request *r) {
  if (!expand_valid(r)) return;
  if (dh_store_meta(r->server->store, &r->commit) != STORE_OK) {
    dh_reply_failed(r, STORE_FAILED);
    return;
  }
  json_t *meta = json_loads(r->commit.meta, 0, NULL);
  dh_commit_free(&r->commit);
  struct subject s = {r, &r->repo, &r->commit, meta};
  dh_reply_json(r, 200, subject_json(&s, IN_INFO));
  json_decref(meta);
}

void dh_info(struct request *r) {
  int rc = dh_store_revision(r->server->store, r->repo.id, "main", &r->commit);
  if (rc == STORE_NONE) dh_reply_error(r, 404, "RevisionNotFound", "Invalid rev id: main");
  if (rc == STORE_FAILED) dh_reply_failed(r, rc);
  if (rc == STORE_OK) info(r);
}

void dh_info_revision(struct request *r) {
  info(r);
}

struct list {
  struct request *request;
  json_t *rows;
  uint64_t limit;
  unsigned where;
  bool more;
  int64_t last_value, last_id;
};

/* inference=warm and inference_provider=NAME[,NAME]|all: only models that such a provider serves. */
static bool list_serves(const struct list *l, const struct repo_row *row) {
  const char *provider = dh_request_parameter(l->request, "inference_provider"),
             *warm = dh_request_parameter(l->request, "inference");
  bool served = !provider;
  if (!provider && !warm) return true;
  json_t *meta = json_loads(row->head.meta, 0, NULL);
  const char *task = json_string_value(json_object_get(meta, "pipeline_tag"));
  json_t *mapping = dh_model_mapping(l->request->server, row->repo.name, task);
  for (const char *at = provider; at && *at && !served;) {
    size_t n = strcspn(at, ",");
    served =
        n == 3 && strncmp(at, "all", n) == 0 ? json_object_size(mapping) > 0 : json_object_getn(mapping, at, n) != NULL;
    at += n + (at[n] == ',');
  }
  if (warm && (strcmp(warm, "warm") != 0 || !task)) served = false;
  json_decref(mapping);
  json_decref(meta);
  return served;
}

static bool list_add(void *arg, const struct repo_row *row) {
  struct list *l = arg;
  struct request *r = l->request;
  if (row->repo.private && !dh_access_sees(r->token, &row->repo)) return true;
  if (!list_serves(l, row)) return true;
  if (json_array_size(l->rows) == l->limit) {
    l->more = true;
    return false;
  }
  json_t *meta = json_loads(row->head.meta, 0, NULL);
  struct subject s = {r, &row->repo, &row->head, meta};
  json_array_append_new(l->rows, subject_json(&s, l->where));
  json_decref(meta);
  l->last_value = row->value;
  l->last_id = row->repo.id;
  return true;
}

static bool number_signed(const char *s, int64_t *out) {
  uint64_t n;
  bool negative = *s == '-';
  if (!dh_number(s + negative, INT64_MAX, &n)) return false;
  *out = negative ? -(int64_t)n : (int64_t)n;
  return true;
}

static bool cursor_read(const char *cursor, struct repo_query *q) {
  char copy[64], *dot;
  if (!cursor) return true;
  if (!dh_copy(copy, sizeof copy, cursor) || !(dot = strchr(copy, '.'))) return false;
  *dot++ = 0;
  return number_signed(copy, &q->after_value) && number_signed(dot, &q->after_id) && q->after_id > 0;
}

/* filter=a,b and filter=a&filter=b both mean all of them; task and library have parameters of their own too. */
static void list_tags(const struct request *r, struct repo_query *q, char *copies[PARAMETERS_MAX]) {
  static const char *const keys[] = {"filter", "pipeline_tag", "library",  "apps",
                                     "other",  "license",      "language", "sdk"};
  for (size_t i = 0; i < r->parameter_count; i++) {
    size_t k = 0;
    while (k < sizeof keys / sizeof *keys && strcmp(keys[k], r->parameters[i].key) != 0) k++;
    if (k == sizeof keys / sizeof *keys || q->tag_count == 16 || !r->parameters[i].value[0]) continue;
    char *copy = strdup(r->parameters[i].value), *rest = copy;
    copies[i] = copy;
    for (char *tag; copy && (tag = strsep(&rest, ",")) && q->tag_count < 16;)
      if (*tag) q->tags[q->tag_count++] = tag;
  }
}

void dh_list(struct request *r) {
  const char *direction = dh_request_parameter(r, "direction"), *gated = dh_request_parameter(r, "gated");
  struct repo_query q = {.type = r->type,
                         .author = dh_request_parameter(r, "author"),
                         .search = dh_request_parameter(r, "search"),
                         .sort = dh_request_parameter(r, "sort"),
                         .ascending = direction && strcmp(direction, "1") == 0,
                         .gated = gated ? dh_request_flag(r, "gated") : -1};
  struct list l = {.request = r, .limit = dh_request_limit(r, LIST_MAX, LIST_MAX), .where = IN_LIST};
  if (dh_request_flag(r, "full")) l.where |= IN_FULL | ON_CARD;
  if (dh_request_flag(r, "config")) l.where |= ON_CONFIG;
  if (dh_request_flag(r, "cardData")) l.where |= ON_CARD;
  if (r->type == REPO_DATASET || r->type == REPO_KERNEL) l.where |= IN_FULL;
  if (!expand_valid(r)) return;
  if (!cursor_read(dh_request_parameter(r, "cursor"), &q)) {
    dh_reply_error(r, 400, NULL, "The cursor is not one of this server's.");
    return;
  }
  char *copies[PARAMETERS_MAX] = {0};
  list_tags(r, &q, copies);
  l.rows = json_array();
  int rc = dh_store_repos(r->server->store, &q, list_add, &l);
  for (size_t i = 0; i < PARAMETERS_MAX; i++) free(copies[i]);
  if (rc != STORE_OK) {
    json_decref(l.rows);
    if (rc == STORE_INVALID) dh_reply_error(r, 400, NULL, "\"sort\" cannot be \"%.100s\"", q.sort);
    if (rc == STORE_FAILED) dh_reply_failed(r, rc);
    return;
  }
  if (l.more) {
    char cursor[64];
    snprintf(cursor, sizeof cursor, "%lld.%lld", (long long)l.last_value, (long long)l.last_id);
    dh_reply_next(r, "cursor", cursor);
  }
  dh_reply_json(r, 200, l.rows);
}
