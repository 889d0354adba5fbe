/* What a call carries for those it starts: options, default headers, and credentials bound to their origins.
 * A profile is a list of settings that is never changed, only put in front of: branches share it, threads read it without
 * a lock, and what was read stays valid as long as the call. The newest setting of a name counts.
 * Values are wiped before their memory goes back. */
#include <arpa/inet.h>
#include <strings.h>

#include "call.h"

enum kind { OPTION, HEADER, CREDENTIAL };
struct hf_profile {
  struct hf_profile *before;
  _Atomic uint32_t refs;
  enum kind kind;
  const char *origin;       /* CREDENTIAL: one origin */
  const char *name, *value; /* value NULL: removed */
  size_t size;              /* of the texts that follow */
  char text[];
};

struct hf_profile *hf_profile_ref(struct hf_profile *p) {
  if (p) atomic_fetch_add(&p->refs, 1);
  return p;
}

void hf_profile_unref(struct hf_profile *p) {
  while (p && atomic_fetch_sub(&p->refs, 1) == 1) {
    struct hf_profile *before = p->before;
    explicit_bzero(p->text, p->size);
    hf_mem_free(p);
    p = before;
  }
}

static bool same_name(enum kind kind, const char *a, const char *b) {
  return (kind == OPTION ? strcmp(a, b) : strcasecmp(a, b)) == 0;
}

/* Written as the same origin; whether two spellings mean one is decided when a request is made. */
static bool same_key(const struct hf_profile *p, enum kind kind, const char *origin, size_t origin_len,
                     const char *name) {
  return p->kind == kind && same_name(kind, p->name, name) &&
         (kind != CREDENTIAL || (strlen(p->origin) == origin_len && memcmp(p->origin, origin, origin_len) == 0));
}

static const char *put_text(char **at, const char *text, size_t len) {
  char *to = *at;
  memcpy(to, text, len);
  to[len] = 0;
  *at += len + 1;
  return to;
}

static hf_status set(hf_call *call, enum kind kind, const char *origin, size_t origin_len, const char *name,
                     const char *value) {
  struct hf_profile *head = atomic_load(&call->profile), *at = head;
  while (at && !same_key(at, kind, origin, origin_len, name)) at = at->before;
  if (at ? (at->value && value ? strcmp(at->value, value) == 0 : at->value == value) : !value) return HF_OK;
  size_t name_len = strlen(name), value_len = value ? strlen(value) : 0, size = origin_len + name_len + value_len + 3;
  struct hf_profile *p = hf_mem_alloc(sizeof *p + size);
  if (!p) return hf_call_failf(call, HF_ENOMEM, "Out of memory; close other programs.");
  atomic_init(&p->refs, 1);
  p->kind = kind;
  p->size = size;
  char *to = p->text;
  p->origin = put_text(&to, origin, origin_len);
  p->name = put_text(&to, name, name_len);
  if (value) p->value = put_text(&to, value, value_len);
  do p->before = head;
  while (!atomic_compare_exchange_weak(&call->profile, &head, p));
  return HF_OK;
}

static hf_status check_header(hf_call *call, const char *name, const char *value) {
  static const char token[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  if (!name || !*name || name[strspn(name, token)])
    return hf_call_failf(call, HF_EINVAL, "A header has an impossible name; use letters, digits and dashes.");
  if (value && value[strcspn(value, "\r\n")])
    return hf_call_failf(call, HF_EINVAL, "The value of header %s holds a line break; remove it.", name);
  return HF_OK;
}

hf_status hf_call_option(hf_call *call, const char *key, const char *value) {
  return set(call, OPTION, "", 0, key, value);
}

hf_status hf_call_header(hf_call *call, const char *name, const char *value) {
  TRY(check_header(call, name, value));
  return set(call, HEADER, "", 0, name, value);
}

hf_status hf_call_credential(hf_call *call, const char *origins, const char *name, const char *value) {
  TRY(check_header(call, name, value));
  for (const char *at = origins + strspn(origins, " ,"); *at; at += strspn(at, " ,")) {
    size_t len = strcspn(at, " ,");
    TRY(set(call, CREDENTIAL, at, len, name, value));
    at += len;
  }
  return HF_OK;
}

const char *hf_profile_option(const struct hf_profile *p, const char *key) {
  for (; p; p = p->before)
    if (p->kind == OPTION && strcmp(p->name, key) == 0) return p->value;
  return NULL;
}

static bool loopback(const char *host) {
  struct in_addr four;
  struct in6_addr six;
  char bare[64];
  size_t len = strlen(host);
  if (len > 2 && len < sizeof bare && host[0] == '[' && host[len - 1] == ']') {
    memcpy(bare, host + 1, len - 2);
    bare[len - 2] = 0;
    host = bare;
  }
  if (strcasecmp(host, "localhost") == 0) return true;
  if (inet_pton(AF_INET, host, &four) == 1) return ntohl(four.s_addr) >> 24 == 127;
  return inet_pton(AF_INET6, host, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

/* May a credential travel to where this URL really leads? */
static hf_status may_carry(hf_call *call, const char *url, bool *may) {
  bool consent = false;
  struct hf_url parts;
  const char *physical = hf_url_rewrite(call, url, &consent);
  *may = false;
  if (!physical) return hf_call_error(call) ? hf_call_error(call)->code : HF_EINVAL;
  TRY(hf_url_parse(call, physical, &parts));
  bool sealed = strcmp(parts.scheme, "https") == 0 && !hf_config_flag(call->rt, "HF_INSECURE");
  *may = consent || sealed || loopback(parts.host);
  return HF_OK;
}

hf_status hf_profile_headers(hf_call *call, const char *url, bool credentials, struct hf_kv **rows, uint32_t *n) {
  struct hf_profile *head = atomic_load(&call->profile);
  uint32_t most = 0, secrets = 0;
  *rows = NULL;
  *n = 0;
  for (struct hf_profile *p = head; p; p = p->before) {
    most += p->kind != OPTION;
    secrets += p->kind == CREDENTIAL && p->value;
  }
  if (!most) return HF_OK;
  bool may = false;
  if (credentials && secrets) TRY(may_carry(call, url, &may));
  struct hf_kv *out = hf_call_arena(call, most * sizeof *out);
  if (!out) return HF_ENOMEM;
  uint32_t count = 0;
  /* Credentials first: they win over a default header of the same name. Removed ones take their place until the end. */
  for (enum kind kind = CREDENTIAL; kind >= HEADER; kind--) {
    uint32_t others = count;
    for (struct hf_profile *p = head; p; p = p->before) {
      if (p->kind != kind || (kind == CREDENTIAL && (!may || !hf_url_same_origin(p->origin, url)))) continue;
      bool known = false;
      for (uint32_t i = 0; i < count && !known; i++)
        known = strcasecmp(out[i].key, p->name) == 0 && (i >= others || out[i].value);
      if (!known) out[count++] = (struct hf_kv){p->name, p->value};
    }
  }
  for (uint32_t i = 0; i < count; i++)
    if (out[i].value) out[(*n)++] = out[i];
  *rows = out;
  return HF_OK;
}
