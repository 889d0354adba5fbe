/* errors.c - what an answer of status 400 and above means, in the reference's classes and words.
 * The order of the rules is the contract; the first that fits decides. Repo and type are read from the URL when they are
 * wanted, so an error needs no member for them. */
#include "hub.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define HF_SERVER_MESSAGE_MAX 1024

/* ---- URLs ---------------------------------------------------------------------------------------------------------- */

static const struct {
  const char *plural, *type;
} types[] = {{"models", "model"}, {"datasets", "dataset"}, {"spaces", "space"}, {"kernels", "kernel"}};

/* The path of an http(s) URL, from its first "/"; NULL: none. */
static const char *url_path(const char *url) {
  const char *p = url ? strstr(url, "://") : NULL;
  return p && (!strncmp(url, "http://", 7) || !strncmp(url, "https://", 8)) ? strchr(p + 3, '/') : NULL;
}

/* One segment behind "/": its length, 0 when there is none. */
static size_t segment(const char *at) {
  return *at == '/' ? strcspn(at + 1, "/?") : 0;
}

static const char *type_of(const char *at, size_t n, size_t known) {
  for (size_t i = 0; i < known; i++)
    if (strlen(types[i].plural) == n && !strncmp(types[i].plural, at, n)) return types[i].type;
  return NULL;
}

static bool resolve_repo(const char *path, const char **type, const char **id, size_t *id_len) {
  size_t n = segment(path), skip = 0;
  const char *t = type_of(path + 1, n, HF_COUNT(types));
  if (t && strcmp(t, "model")) skip = n + 1;
  for (int tries = 0; tries < 2; tries++, skip = 0) { /* "datasets/resolve/..": a repo may be called like a type */
    size_t a = segment(path + skip), b = a ? segment(path + skip + 1 + a) : 0;
    size_t lens[2] = {a && b ? a + 1 + b : 0, a};
    for (int k = 0; k < 2; k++) {
      if (!lens[k] || strncmp(path + skip + 1 + lens[k], "/resolve/", 9)) continue;
      *type = skip ? t : "model";
      *id = path + skip + 1;
      *id_len = lens[k];
      return true;
    }
    if (!skip) break;
  }
  return false;
}

bool hf_hub_repo_in_url(const char *url, const char **type, const char **id, size_t *id_len) {
  static const char *const below[] = {"resolve", "tree",        "blob",     "raw",     "refs",
                                      "commit",  "discussions", "settings", "revision"};
  const char *path = url_path(url);
  if (!path) return false;
  if (resolve_repo(path, type, id, id_len)) return true;
  if (strncmp(path, "/api/", 5)) return false;
  path += 4;
  size_t n = segment(path);
  *type = type_of(path + 1, n, 3);
  const char *first = path + 1 + n;
  size_t a = *type ? segment(first) : 0, b = a ? segment(first + 1 + a) : 0;
  if (!a) return false;
  for (size_t i = 0; i < HF_COUNT(below); i++)
    if (b == strlen(below[i]) && !strncmp(first + 2 + a, below[i], b)) b = 0;
  *id = first + 1;
  *id_len = b ? a + 1 + b : a;
  return true;
}

/* The reference reads a 401 as "not found" on these, over https only. */
static bool hides_repos(const char *url) {
  const char *path = !strncmp(url, "https://", 8) ? url_path(url) : NULL;
  if (!path) return false;
  if (!strncmp(path, "/api/", 5)) {
    size_t n = strcspn(path + 5, "/");
    if (type_of(path + 5, n, 3) && path[5 + n] == '/' && path[6 + n]) return true;
  }
  const char *r = strstr(path + 1, "/resolve/");
  return r && r > path + 1 && r[9];
}

static bool is_job(const char *url) {
  const char *path = url_path(url);
  if (!path || strncmp(path, "/api/", 5)) return false;
  path += 4;
  size_t n = segment(path);
  if (!(n == 4 && !strncmp(path + 1, "jobs", 4)) && !(n == 14 && !strncmp(path + 1, "scheduled-jobs", 14)))
    return false;
  size_t ns = segment(path + 1 + n);
  return ns && segment(path + 2 + n + ns);
}

/* ---- what the server says ---------------------------------------------------------------------------------------------- */

struct words {
  char text[HF_SERVER_MESSAGE_MAX];
  size_t len;
};

static bool blank(char ch) {
  return ch == ' ' || (ch >= '\t' && ch <= '\r');
}

/* One more line, trimmed; not when it is there already. */
static void add_line(struct words *w, const char *text) {
  if (!text) return;
  size_t n = strlen(text);
  while (n && blank(text[n - 1])) n--;
  while (n && blank(*text)) text++, n--;
  if (!n) return;
  for (size_t at = 0; at < w->len;) {
    size_t k = strcspn(w->text + at, "\n");
    if (k == n && !strncmp(w->text + at, text, n)) return;
    at += k + 1;
  }
  size_t room = sizeof w->text - 1 - w->len;
  if (n + 1 > room) n = room > 1 ? room - 1 : 0;
  if (!n) return;
  if (w->len) w->text[w->len++] = '\n';
  memcpy(w->text + w->len, text, n);
  for (char *s = w->text + w->len; s < w->text + w->len + n; s++)
    if ((unsigned char)*s < 0x20 && *s != '\n' && *s != '\t') *s = '?'; /* nothing for a terminal to obey */
  w->len += n;
  w->text[w->len] = 0;
}

static void add_json(struct words *w, hf_call *c, json_t *data) {
  json_t *error = json_object_get(data, "error"), *list = json_object_get(data, "errors"), *item;
  const char *described = hf_hub_get(data, "error_description");
  size_t i;
  if (json_is_array(error)) {
    json_array_foreach(error, i, item) add_line(w, json_string_value(item));
  } else if (json_is_string(error)) {
    add_line(w, described ? hf_hub_text(c, "%s: %s", json_string_value(error), described) : json_string_value(error));
  } else if (!error || json_is_null(error)) {
    add_line(w, described);
  }
  json_array_foreach(list, i, item) add_line(w, hf_hub_get(item, "message"));
}

static void server_words(hf_call *c, const struct hf_http_resp *resp, struct words *w) {
  add_line(w, hf_hub_header(resp, "x-error-message"));
  const char *body = resp->body, *type = hf_hub_header(resp, "content-type");
  json_t *data = body && resp->body_len && resp->body_len <= (1u << 20)
                     ? json_loadb(body, resp->body_len, JSON_DECODE_ANY, NULL)
                     : NULL;
  if (data)
    add_json(w, c, data);
  else if (body && resp->body_len && !(type && strcasestr(type, "html")))
    add_line(w, body);
  json_decref(data);
}

/* ---- the message ------------------------------------------------------------------------------------------------------------ */

static const char *reason(uint32_t status) {
  static const struct {
    uint32_t status;
    const char *text;
  } rows[] = {{400, "Bad Request"},
              {401, "Unauthorized"},
              {402, "Payment Required"},
              {403, "Forbidden"},
              {404, "Not Found"},
              {405, "Method Not Allowed"},
              {406, "Not Acceptable"},
              {408, "Request Timeout"},
              {409, "Conflict"},
              {410, "Gone"},
              {411, "Length Required"},
              {412, "Precondition Failed"},
              {413, "Content Too Large"},
              {414, "Request-URI Too Long"},
              {415, "Unsupported Media Type"},
              {416, "Requested Range Not Satisfiable"},
              {417, "Expectation Failed"},
              {418, "I'm a teapot"},
              {421, "Misdirected Request"},
              {422, "Unprocessable Entity"},
              {423, "Locked"},
              {424, "Failed Dependency"},
              {425, "Too Early"},
              {426, "Upgrade Required"},
              {428, "Precondition Required"},
              {429, "Too Many Requests"},
              {431, "Request Header Fields Too Large"},
              {451, "Unavailable For Legal Reasons"},
              {500, "Internal Server Error"},
              {501, "Not Implemented"},
              {502, "Bad Gateway"},
              {503, "Service Unavailable"},
              {504, "Gateway Timeout"},
              {505, "HTTP Version Not Supported"},
              {507, "Insufficient Storage"},
              {508, "Loop Detected"},
              {511, "Network Authentication Required"}};
  for (size_t i = 0; i < HF_COUNT(rows); i++)
    if (rows[i].status == status) return rows[i].text;
  return "";
}

static const char *plain(hf_call *c, uint32_t status, const char *url) {
  return hf_hub_text(c,
                     "%s error '%u %s' for url '%s'\nFor more information check: "
                     "https://developer.mozilla.org/en-US/docs/Web/HTTP/Status/%u",
                     status >= 500 ? "Server" : "Client", status, reason(status), url, status);
}

/* "KEY = digits" anywhere behind `from`; the reference reads the header with regular expressions. */
static bool number_after(const char *from, char key, uint64_t *out) {
  for (const char *p = from; p && (p = strchr(p, key)); p++) {
    const char *q = p + 1 + strspn(p + 1, " \t");
    if (*q++ != '=') continue;
    q += strspn(q, " \t");
    if (!isdigit((unsigned char)*q)) continue;
    for (*out = 0; isdigit((unsigned char)*q) && *out < UINT64_MAX / 16; q++) *out = *out * 10 + (uint64_t)(*q - '0');
    return true;
  }
  return false;
}

static const char *too_many(hf_call *c, const struct hf_http_resp *resp, const char *url, uint32_t *wait_ms) {
  const char *limit = hf_hub_header(resp, "ratelimit"), *policy = hf_hub_header(resp, "ratelimit-policy");
  const char *name = limit ? strchr(limit, '"') : NULL, *end = name ? strchr(name + 1, '"') : NULL;
  uint64_t r = 1, t = 0, q = 0, w = 0;
  if (!end || !number_after(end, 'r', &r) || !number_after(end, 't', &t) || r)
    return hf_hub_text(c, "429 Too Many Requests for url: %s.", url);
  if (t < 86400 * 30) *wait_ms = (uint32_t)t * 1000;
  const char *window = number_after(policy, 'q', &q) && number_after(policy, 'w', &w)
                           ? hf_hub_text(c, " (%llu/%llu requests remaining in current %llus window).",
                                         (unsigned long long)r, (unsigned long long)q, (unsigned long long)w)
                           : ".";
  return window ? hf_hub_text(c,
                              "429 Too Many Requests: you have reached your '%.*s' rate limit.\nRetry after %llu "
                              "seconds%s\nUrl: %s.",
                              (int)(end - name - 1), name + 1, (unsigned long long)t, window, url)
                : NULL;
}

static const char *range_sent(const struct hf_http_req *req) {
  for (uint32_t i = 0; i < req->headers.count; i++) {
    const struct hf_kv *row =
        (const struct hf_kv *)(const void *)((const char *)req->headers.rows + (size_t)i * req->headers.stride);
    if (!strcasecmp(row->key, "range")) return row->value;
  }
  return "None";
}

struct verdict {
  const char *cls, *text;
  hf_status code;
};

/* The only one that the reference calls by a name. */
static bool is_commit(const struct hf_http_req *req) {
  const char *path = req->method && !strcmp(req->method, "POST") ? url_path(req->url) : NULL;
  return path && !strncmp(path, "/api/", 5) && strstr(path, "/commit/");
}

static struct verdict judge(hf_call *c, const struct hf_http_req *req, const struct hf_http_resp *resp, const char *url,
                            uint32_t *wait_ms) {
  const char *code = hf_hub_header(resp, "x-error-code"), *message = hf_hub_header(resp, "x-error-message");
  const char *path = url_path(url);
  uint32_t s = resp->status;
  if (code && !strcmp(code, "RevisionNotFound"))
    return (struct verdict){"RevisionNotFoundError",
                            hf_hub_text(c, "%u Client Error.\n\nRevision Not Found for url: %s.", s, url),
                            HF_ENOTFOUND};
  if (code && !strcmp(code, "EntryNotFound"))
    return (struct verdict){"RemoteEntryNotFoundError",
                            hf_hub_text(c, "%u Client Error.\n\nEntry Not Found for url: %s.", s, url), HF_ENOTFOUND};
  if (code && !strcmp(code, "GatedRepo"))
    return (struct verdict){"GatedRepoError",
                            hf_hub_text(c, "%u Client Error.\n\nCannot access gated repo for url %s.", s, url),
                            HF_EGATED};
  if (message && !strcmp(message, "Access to this resource is disabled."))
    return (struct verdict){
        "DisabledRepoError",
        hf_hub_text(c, "%u Client Error.\n\nCannot access repository for url %s.\nAccess to this resource is disabled.",
                    s, url),
        HF_EAUTH};
  bool missing = code && !strcmp(code, "RepoNotFound");
  if (missing && path && !strncmp(path, "/api/buckets/", 13))
    return (struct verdict){
        "BucketNotFoundError",
        hf_hub_text(c,
                    "%u Client Error.\n\nBucket Not Found for url: %s.\nPlease make sure you specified the correct "
                    "bucket id (namespace/name).\nIf the bucket is private, make sure you are authenticated and "
                    "your token has the required permissions.",
                    s, url),
        HF_ENOTFOUND};
  if (s == 404 && is_job(url))
    return (struct verdict){
        "JobNotFoundError",
        hf_hub_text(c,
                    "%u Client Error.\n\nJob Not Found for url: %s.\nPlease make sure you specified the correct job "
                    "ID and namespace.",
                    s, url),
        HF_ENOTFOUND};
  if (missing ||
      (s == 401 && !(message && !strcmp(message, "Invalid credentials in Authorization header")) && hides_repos(url)))
    return (struct verdict){"RepositoryNotFoundError",
                            hf_hub_text(c,
                                        "%u Client Error.\n\nRepository Not Found for url: %s.\nPlease make sure you "
                                        "specified the correct `repo_id` and "
                                        "`repo_type`.\nIf you are trying to access a private or gated repo, make sure "
                                        "you are authenticated and your "
                                        "token has the required permissions.\nFor more details, see "
                                        "https://huggingface.co/docs/huggingface_hub/authentication",
                                        s, url),
                            HF_ENOTFOUND};
  if (s == 400)
    return (struct verdict){"BadRequestError",
                            is_commit(req) ? "\n\nBad request for commit endpoint:" : "\n\nBad request:", HF_EHTTP};
  if (s == 403)
    return (struct verdict){
        "HfHubHTTPError",
        hf_hub_text(c,
                    "\n\n%u Forbidden: %s.\nCannot access content at: %s.\nMake sure your token has the correct "
                    "permissions.",
                    s, message ? message : "None", url),
        HF_EAUTH};
  if (s == 429) {
    const char *text = too_many(c, resp, url, wait_ms);
    return (struct verdict){"HfHubHTTPError", text ? hf_hub_text(c, "\n\n%s", text) : NULL, HF_ERATELIMIT};
  }
  const char *text = plain(c, s, url);
  if (s == 416 && text) {
    const char *have = hf_hub_header(resp, "content-range");
    text = hf_hub_text(c, "%s. Requested range: %s. Content-Range: %s.", text, range_sent(req), have ? have : "None");
  }
  return (struct verdict){"HfHubHTTPError", text, s == 401 ? HF_EAUTH : s == 404 ? HF_ENOTFOUND : HF_EHTTP};
}

void hf_hub_http_error(hf_call *c, const struct hf_http_req *req, const struct hf_http_resp *resp, struct hf_error *e) {
  const char *url = resp->url ? resp->url : req->url;
  uint32_t wait_ms = e->retry_after_ms;
  struct verdict v = judge(c, req, resp, url, &wait_ms);
  if (!v.text) return;
  struct words said = {.len = 0};
  server_words(c, resp, &said);
  const char *text = v.text;
  if (said.len && !strcasestr(text, said.text))
    text = hf_hub_text(c, "%s%s%s", text, strstr(text, "\n\n") ? "\n" : "\n\n", said.text);
  static const struct {
    const char *header, *label;
  } ids[] = {{"x-request-id", "Request ID"}, {"x-amzn-trace-id", "Amzn Trace ID"}, {"x-amz-cf-id", "Amz CF ID"}};
  const char *id = NULL;
  for (size_t i = 0; i < HF_COUNT(ids) && text && !id; i++) {
    id = hf_hub_header(resp, ids[i].header);
    if (!id || !*id) {
      id = NULL;
    } else if (!strcasestr(text, id)) {
      size_t at = strcspn(text, "\n");
      text = hf_hub_text(c, "%.*s (%s: %s)%s", (int)at, text, ids[i].label, id, text + at);
    }
  }
  if (!text) return;
  while (blank(*text)) text++;
  size_t n = strlen(text);
  while (n && blank(text[n - 1])) n--;
  const char *message = hf_host()->intern(c, text, n);
  if (!message) return;
  e->code = v.code;
  e->cls = v.cls;
  e->message = message;
  e->http_status = resp->status;
  e->request_id = id;
  e->url = url;
  e->retry_after_ms = wait_ms;
}

/* ---- keeping and asking -------------------------------------------------------------------------------------------------- */

hf_status hf_hub_error_keep(hf_call *c, struct hf_error *out) {
  const struct hf_error *e = hf_host()->error(c);
  *out = e ? *e : (struct hf_error){.code = HF_EINTERNAL, .message = "An operation failed without saying why."};
  out->struct_size = sizeof *out;
  const char **texts[] = {&out->cls, &out->message, &out->request_id, &out->url};
  for (size_t i = 0; i < HF_COUNT(texts); i++)
    if (*texts[i] && !(*texts[i] = hf_host()->intern(c, *texts[i], SIZE_MAX))) return HF_ENOMEM;
  return HF_OK;
}

bool hf_hub_error_is(const struct hf_error *e, const char *cls) {
  return e && e->cls && !strcmp(e->cls, cls);
}

const char *hf_hub_cause(hf_call *c, const struct hf_error *e) {
  if (hf_hub_error_is(e, "ConnectTimeout") || hf_hub_error_is(e, "ReadTimeout")) return "timed out";
  if (e->code == HF_ENET && e->sys_errno) return hf_hub_text(c, "[Errno %d] %s", e->sys_errno, strerror(e->sys_errno));
  return e->message ? e->message : "";
}
