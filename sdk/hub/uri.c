/* uri.c - hf:// addresses: hf://[TYPE/]NAMESPACE/NAME[@REVISION][/PATH], TYPE in the plural; pages of the Hub as a browser shows them.
 * A revision ends at the next "/", except refs/pr/N and refs/convert/NAME, which are taken whole; "%2F" spells a slash.
 * Every refusal names the address and says what is expected. */
#include "hub.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define HF_PROTOCOL "hf://"

static const struct {
  const char *plural, *type;
} kinds[] = {
    {"models", "model"}, {"datasets", "dataset"}, {"spaces", "space"}, {"kernels", "kernel"}, {"buckets", "bucket"}};

static hf_status refuse(hf_call *c, const char *uri, const char *why) {
  return why ? hf_hub_fail(c, HF_EINVAL, "HfUriError", "%.512s. %s", uri, why) : HF_ENOMEM;
}

/* "TYPE/" in front, taken off *at. */
static hf_status take_type(hf_call *c, const char *uri, const char **at, const char **type) {
  size_t n = strcspn(*at, "/");
  bool alone = !(*at)[n];
  *type = "model";
  for (size_t i = 0; i < HF_COUNT(kinds); i++) {
    bool plural = strlen(kinds[i].plural) == n && !strncmp(*at, kinds[i].plural, n);
    bool singular = strlen(kinds[i].type) == n && !strncmp(*at, kinds[i].type, n);
    if (plural && alone)
      return refuse(
          c, uri,
          hf_hub_text(c, "Missing identifier after '%s'. Expected 'hf://%s/<ID>'.", kinds[i].plural, kinds[i].plural));
    if (singular)
      return refuse(c, uri,
                    alone ? hf_hub_text(c, "Type prefix must be plural. Did you mean 'hf://%s/...'?", kinds[i].plural)
                          : hf_hub_text(c, "Type prefix must be plural, got '%s/'. Did you mean '%s/'?", kinds[i].type,
                                        kinds[i].plural));
    if (!plural) continue;
    *type = kinds[i].type;
    *at += n + 1;
    return HF_OK;
  }
  return HF_OK;
}

/* Length of refs/pr/N or refs/convert/NAME in front; 0: neither. */
static size_t special_ref(const char *s) {
  size_t n = 0;
  if (!strncmp(s, "refs/pr/", 8)) {
    while (isdigit((unsigned char)s[8 + n])) n++;
    return n ? 8 + n : 0;
  }
  if (strncmp(s, "refs/convert/", 13)) return 0;
  while (isalnum((unsigned char)s[13 + n]) || (s[13 + n] && strchr("_.-", s[13 + n]))) n++;
  return n ? 13 + n : 0;
}

static int hex(char ch) {
  return ch >= '0' && ch <= '9'   ? ch - '0'
         : ch >= 'a' && ch <= 'f' ? ch - 'a' + 10
         : ch >= 'A' && ch <= 'F' ? ch - 'A' + 10
                                  : -1;
}

static const char *unquote(hf_call *c, const char *s, size_t len) {
  char *out = hf_host()->arena(c, len + 1);
  size_t n = 0;
  for (size_t i = 0; out && i < len; i++) {
    int a = s[i] == '%' && i + 2 < len ? hex(s[i + 1]) : -1, b = a >= 0 ? hex(s[i + 2]) : -1;
    if (b >= 0 && (a || b))
      i += 2;
    else
      b = -1;
    out[n++] = b >= 0 ? (char)(a * 16 + b) : s[i];
  }
  return out;
}

static uint32_t slashes(const char *s, size_t n) {
  uint32_t count = 0;
  for (size_t i = 0; i < n; i++) count += s[i] == '/';
  return count;
}

static hf_status parse_repo(hf_call *c, const char *uri, const char *at, struct hf_hub_uri *out) {
  const char *mark = strchr(at, '@');
  if (!mark || slashes(at, (size_t)(mark - at)) > 1) {
    size_t a = strcspn(at, "/"), b = at[a] ? strcspn(at + a + 1, "/") : 0;
    if (!at[a]) return refuse(c, uri, hf_hub_text(c, "Repository id must be 'namespace/name', got '%.256s'. ", at));
    out->id = hf_host()->intern(c, at, a + 1 + b);
    out->path = at[a + 1 + b] ? at + a + 2 + b : "";
  } else {
    out->id = hf_host()->intern(c, at, (size_t)(mark - at));
    if (mark == at) return refuse(c, uri, "Missing repository id before '@'.");
    if (slashes(at, (size_t)(mark - at)) != 1)
      return refuse(c, uri, hf_hub_text(c, "Repository id must be 'namespace/name', got '%.256s'.", out->id));
    size_t n = special_ref(mark + 1);
    if (n) {
      out->path = mark + 1 + n;
      if (*out->path == '/') out->path++;
    } else {
      n = strcspn(mark + 1, "/");
      out->path = mark[1 + n] ? mark + 2 + n : "";
    }
    out->revision = unquote(c, mark + 1, n);
    if (out->revision && !*out->revision) return refuse(c, uri, "Empty revision after '@'.");
    if (!out->revision) return HF_ENOMEM;
  }
  const char *problem = out->id ? hf_hub_repo_problem(c, out->id) : NULL;
  if (problem) return refuse(c, uri, problem);
  return out->id ? HF_OK : HF_ENOMEM;
}

static hf_status parse_bucket(hf_call *c, const char *uri, const char *at, struct hf_hub_uri *out) {
  size_t a = strcspn(at, "/"), b = at[a] ? strcspn(at + a + 1, "/") : 0;
  if (!a || !b) return refuse(c, uri, hf_hub_text(c, "Bucket id must be 'namespace/name', got '%.256s'.", at));
  out->id = hf_host()->intern(c, at, a + 1 + b);
  out->path = at[a + 1 + b] ? at + a + 2 + b : "";
  if (!out->id) return HF_ENOMEM;
  return strchr(out->id, '@') ? refuse(c, uri, "Bucket URIs do not support a revision marker ('@').") : HF_OK;
}

/* ---- pages of the Hub ----------------------------------------------------------------------------------------------------- */

static const char *const page_hosts[] = {"hf.co", "huggingface.co", "hub-ci.huggingface.co"};
static const char *const repo_routes[] = {"blame", "blob", "raw", "resolve", "tree"};
static const char *const bucket_routes[] = {"resolve", "tree"};

struct part {
  const char *at;
  size_t len;
};

/* "https://user@host:80/..." -> "host" */
static struct part host_of(const char *url) {
  const char *mark = strstr(url, "://"), *at = mark ? mark + 3 : url;
  size_t n = strcspn(at, "/?#");
  for (size_t i = n; i; i--)
    if (at[i - 1] == '@') {
      at += i;
      n -= i;
      break;
    }
  return (struct part){at, at[0] == '[' ? n : strcspn(at, ":/?#")};
}

static bool is_page_host(hf_call *c, struct part host) {
  const char *set = hf_hub_setting(c, "HF_ENDPOINT");
  struct part own = host_of(set ? set : "");
  for (size_t i = 0; i < HF_COUNT(page_hosts); i++)
    if (strlen(page_hosts[i]) == host.len && !strncasecmp(page_hosts[i], host.at, host.len)) return true;
  return own.len && own.len == host.len && !strncasecmp(own.at, host.at, host.len);
}

bool hf_hub_is_page(hf_call *c, const char *uri) {
  if (!strncasecmp(uri, "http://", 7) || !strncasecmp(uri, "https://", 8)) return true;
  return is_page_host(c, (struct part){uri, strcspn(uri, "/")});
}

/* The next name of a path; what is empty is passed over. */
static struct part next_part(const char **at) {
  while (**at == '/') ++*at;
  struct part p = {*at, strcspn(*at, "/")};
  *at += p.len;
  return p;
}

static bool part_is(struct part p, const char *text) {
  return strlen(text) == p.len && !strncmp(p.at, text, p.len);
}

/* The names that are left, decoded, with "/" between them; a slash that was spelt "%2F" stays spelt. */
static const char *decoded(hf_call *c, const char *at) {
  const char *out = "";
  for (struct part p = next_part(&at); out && p.len; p = next_part(&at)) {
    const char *name = unquote(c, p.at, p.len);
    out = name ? hf_hub_text(c, "%s%s", out, *out ? "/" : "") : NULL;
    for (const char *slash; out && (slash = strchr(name, '/')); name = slash + 1)
      out = hf_hub_text(c, "%s%.*s%%2F", out, (int)(slash - name), name);
    if (out) out = hf_hub_text(c, "%s%s", out, name);
  }
  return out;
}

/* A page as the text after "hf://". */
static hf_status page_body(hf_call *c, const char *url, const char **body) {
  struct part host = host_of(url);
  if (!is_page_host(c, host))
    return refuse(
        c, url,
        hf_hub_text(c, "Unrecognized host '%.*s'. Expected a Hugging Face URL (e.g. 'https://huggingface.co/...').",
                    (int)host.len, host.at));
  const char *path = host.at + host.len + strcspn(host.at + host.len, "/?#");
  const char *at = hf_host()->intern(c, path, strcspn(path, "?#"));
  if (!at) return HF_ENOMEM;
  struct part first = next_part(&at), kind = {"", 0};
  if (!first.len)
    return refuse(c, url, hf_hub_text(c, "Missing repository or bucket identifier in URL '%.256s'.", url));
  for (size_t i = 0; i < HF_COUNT(kinds); i++)
    if (part_is(first, kinds[i].plural)) {
      kind = first;
      first = next_part(&at);
      break;
    }
  struct part second = next_part(&at), route = next_part(&at);
  if (!second.len)
    return refuse(c, url,
                  hf_hub_text(c,
                              "Cannot parse URL '%.256s': expected a '<namespace>/<name>' repository or bucket. "
                              "User/organization pages and single-segment URLs are not supported.",
                              url));
  bool bucket = part_is(kind, "buckets"), known = !route.len;
  for (size_t i = 0; !known && i < (bucket ? HF_COUNT(bucket_routes) : HF_COUNT(repo_routes)); i++)
    known = part_is(route, (bucket ? bucket_routes : repo_routes)[i]);
  if (!known)
    return refuse(c, url,
                  bucket
                      ? hf_hub_text(c, "Cannot parse bucket URL '%.256s': unsupported '/%.*s/' route.", url,
                                    (int)route.len, route.at)
                      : hf_hub_text(c,
                                    "Cannot parse URL '%.256s': unsupported '/%.*s/' route. Only repository pages and "
                                    "file/folder viewer routes (blob, resolve, raw, tree, ...) can be parsed.",
                                    url, (int)route.len, route.at));
  const char *rest = decoded(c, at);
  *body = rest ? hf_hub_text(c, "%.*s%s%.*s/%.*s%s%s", (int)kind.len, kind.at, kind.len ? "/" : "", (int)first.len,
                             first.at, (int)second.len, second.at,
                             !*rest   ? ""
                             : bucket ? "/"
                                      : "@",
                             rest)
               : NULL;
  return *body ? HF_OK : HF_ENOMEM;
}

hf_status hf_hub_parse_uri(hf_call *c, const char *uri, struct hf_hub_uri *out) {
  const char *at = uri;
  *out = (struct hf_hub_uri){.path = ""};
  if (!strncmp(uri, HF_PROTOCOL, 5))
    at += 5;
  else if (hf_hub_is_page(c, uri))
    TRY(page_body(c, uri, &at));
  else
    return refuse(
        c, uri,
        "Must start with 'hf://' or be a Hugging Face URL (e.g. 'https://huggingface.co/...'). Expected format: "
        "hf://[<TYPE>/]<ID>[@<REVISION>][/<PATH>]");
  if (!*at) return refuse(c, uri, "Empty body after 'hf://'.");
  TRY(take_type(c, uri, &at, &out->type));
  while (*at == '/') at++;
  size_t n = strlen(at);
  while (n && at[n - 1] == '/') n--;
  at = hf_host()->intern(c, at, n);
  if (!at) return HF_ENOMEM;
  bool bucket = !strcmp(out->type, "bucket");
  if (!n && !bucket) return refuse(c, uri, "Missing repository id.");
  TRY(bucket ? parse_bucket(c, uri, at, out) : parse_repo(c, uri, at, out));
  if (*out->path == '/' || strstr(out->path, "//"))
    return refuse(c, uri, hf_hub_text(c, "Path must not contain empty segments (got '%.256s').", out->path));
  return HF_OK;
}

hf_status hf_hub_try_uri(hf_call *c, const char *text, struct hf_hub_uri *out, bool *is) {
  hf_status st = text ? hf_hub_parse_uri(c, text, out) : HF_OK;
  *is = text && st == HF_OK;
  if (*is) return HF_OK;
  *out = (struct hf_hub_uri){.path = ""};
  if (st == HF_OK || !hf_hub_error_is(hf_host()->error(c), "HfUriError")) return st;
  hf_host()->clear(c);
  return HF_OK;
}
