/* error_text.c - the sentence that people see behind "Error: ", from the class of an error and the URL that failed.
 * One row per class of the reference; everything else shows its own message.
 * Texts are equal to the reference's: scripts read them. */
#include "hub.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct sentence {
  char *at;
  size_t size, len;
};

static void add(struct sentence *s, const char *fmt, ...) HF_PRINTF(2, 3);
static void add(struct sentence *s, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  int n = vsnprintf(s->len < s->size ? s->at + s->len : NULL, s->len < s->size ? s->size - s->len : 0, fmt, ap);
  va_end(ap);
  if (n > 0) s->len += (size_t)n;
}

struct repo {
  char type[16], id[256];
};

/* Repo of the failed URL, without a call: the text is wanted after the operation has ended. */
static void repo_of(const struct hf_error *e, struct repo *r) {
  const char *type, *id;
  size_t id_len;
  *r = (struct repo){{0}, {0}};
  if (!hf_hub_repo_in_url(e->url, &type, &id, &id_len) || id_len >= sizeof r->id) return;
  snprintf(r->type, sizeof r->type, "%s", type);
  snprintf(r->id, sizeof r->id, "%.*s", (int)id_len, id);
}

static void capital(struct sentence *s, const char *word) {
  add(s, "%c%s", *word >= 'a' && *word <= 'z' ? *word - 'a' + 'A' : *word, word + 1);
}

static void gated(struct sentence *s, const struct hf_error *e, const struct repo *r) {
  (void)e;
  const char *label = *r->type ? r->type : "repository";
  add(s, "Access denied. ");
  if (!*r->id) {
    add(s, "This %s requires approval.", label);
    return;
  }
  capital(s, label);
  add(s, " '%s' requires approval.", r->id);
}

static void bucket(struct sentence *s, const struct hf_error *e, const struct repo *r) {
  (void)r;
  const char *at = e->url ? strstr(e->url, "/api/buckets/") : NULL;
  char id[256] = "";
  if (at) {
    at += 13;
    size_t ns = strcspn(at, "/?"), name = at[ns] == '/' ? strcspn(at + ns + 1, "/?") : 0;
    if (ns && name && ns + 1 + name < sizeof id) snprintf(id, sizeof id, "%.*s", (int)(ns + 1 + name), at);
  }
  add(s, *id ? "Bucket '%s' not found." : "Bucket not found.%s", id);
  add(s,
      "\nIf the bucket is private, make sure you are authenticated and your token has the required permissions."
      "\nIf the bucket does not exist, create it with: hf buckets create %s",
      *id ? id : "<bucket_id>");
}

static void repository(struct sentence *s, const struct hf_error *e, const struct repo *r) {
  (void)e;
  capital(s, *r->type ? r->type : "repository");
  if (*r->id) add(s, " '%s'", r->id);
  add(s,
      " not found."
      "\nIf the repo is private, make sure you are authenticated and your token has the required permissions."
      "\nIf the repo does not exist, create it with: hf repos create %s",
      *r->id ? r->id : "<repo_id>");
  if (*r->id && *r->type && strcmp(r->type, "model")) add(s, " --type %s", r->type);
}

static void revision(struct sentence *s, const struct hf_error *e, const struct repo *r) {
  (void)e;
  const char *label = *r->type ? r->type : "repository";
  if (*r->id)
    add(s, "Revision not found in %s '%s'.", label, r->id);
  else
    add(s, "Revision not found in %s. Check the revision parameter.", label);
}

static void entry(struct sentence *s, const struct hf_error *e, const struct repo *r) {
  add(s, "File not found in %s", *r->type ? r->type : "repository");
  if (*r->id) add(s, " '%s'", r->id);
  add(s, ".");
  if (e->url) add(s, "\nURL: %s", e->url);
}

static void login(struct sentence *s, const struct hf_error *e, const struct repo *r) {
  (void)e, (void)r;
  add(s, "Not logged in. Run 'hf auth login' first.");
}

static const struct {
  const char *cls;
  void (*say)(struct sentence *, const struct hf_error *, const struct repo *);
  const char *before; /* or just the message behind this */
} rows[] = {
    {"GatedRepoError", gated, NULL},
    {"BucketNotFoundError", bucket, NULL},
    {"RepositoryNotFoundError", repository, NULL},
    {"RevisionNotFoundError", revision, NULL},
    {"LocalTokenNotFoundError", login, NULL},
    {"OIDCError", NULL, "OIDC Exchange failed. "},
    {"DeviceCodeError", NULL, "Login failed: "},
    {"RemoteEntryNotFoundError", entry, NULL},
    {"HfUriError", NULL, "Invalid HF URI: "},
    {"HFValidationError", NULL, "Invalid value. "},
    {"ValueError", NULL, "Invalid value. "},
};

size_t hf_hub_error_text(const struct hf_error *e, char *text, size_t size) {
  struct sentence s = {text, size, 0};
  struct repo r;
  if (size) *text = 0;
  if (!e) return 0;
  repo_of(e, &r);
  const char *message = e->message ? e->message : "";
  for (size_t i = 0; i < HF_COUNT(rows) && e->cls; i++) {
    if (strcmp(rows[i].cls, e->cls)) continue;
    if (rows[i].say)
      rows[i].say(&s, e, &r);
    else
      add(&s, "%s%s", rows[i].before, message);
    return s.len;
  }
  add(&s, "%s", message);
  return s.len;
}

int hf_hub_exit_code(const struct hf_error *e) {
  if (!e || !e->cls) return 1;
  if (!strcmp(e->cls, "Exit") && e->sys_errno) return e->sys_errno & 255; /* that of a program, or a status */
  return !strcmp(e->cls, "UsageError") || (!strcmp(e->cls, "Exit") && e->code == HF_EINVAL) ? 2 : 1;
}
