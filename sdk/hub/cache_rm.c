/* cache_rm.c - hf cache rm and hf cache prune: what is meant is shown with what it frees, then asked, then removed.
 * Nothing is removed before the whole plan stands.
 * The sentences are the reference's; freed are the bytes of the plan. */
#include "cache.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool flag(const hf_args *args, const char *name) {
  int64_t n = 0;
  return hf_host()->arg_int(args, name, &n) && n;
}

static hf_status say(hf_out *out, hf_call *c, uint32_t what, const char *text) {
  return text ? hf_hub_say(out, c, what, text) : HF_ENOMEM;
}

static hf_status done(hf_out *out, hf_call *c, const char *message, json_t *result) {
  hf_status st = say(out, c, HF_OUT_MESSAGE, message);
  if (st == HF_OK) return hf_hub_record(out, c, HF_OUT_RESULT, result);
  json_decref(result);
  return st;
}

static int by_type_and_small_id(const void *a, const void *b) {
  const struct hf_cache_repo *x = *(struct hf_cache_repo *const *)a, *y = *(struct hf_cache_repo *const *)b;
  int d = strcmp(x->repo.type, y->repo.type);
  if (!d) d = strcasecmp(x->repo.id, y->repo.id);
  return d ? d : strcmp(x->repo.id, y->repo.id);
}

static hf_status show_revisions(hf_out *out, const struct hf_cache *k, const struct hf_cache_repo *r) {
  hf_call *c = k->call;
  if (r->chosen == r->count) return say(out, c, HF_OUT_TEXT, hf_hub_text(c, "  - %s (entire repo)", r->id));
  TRY(say(out, c, HF_OUT_TEXT, hf_hub_text(c, "  - %s:", r->id)));
  for (uint32_t i = 0; i < r->count; i++) {
    const struct hf_cache_revision *v = &k->revisions[r->first + i];
    const char *refs = v->ref_count ? "" : "(detached)", *size = hf_cache_size(c, v->size);
    if (!v->chosen) continue;
    for (uint32_t n = 0; refs && n < v->ref_count; n++) refs = hf_hub_text(c, "%s%s%s", refs, n ? " " : "", v->refs[n]);
    if (!refs || !size) return HF_ENOMEM;
    TRY(say(out, c, HF_OUT_TEXT, hf_hub_text(c, "      %s [%s] %s", v->commit, refs, size)));
  }
  return HF_OK;
}

static hf_status show_chosen(hf_out *out, struct hf_cache *k) {
  struct hf_cache_repo **repos = hf_host()->arena(k->call, (k->repo_count + 1) * sizeof *repos);
  uint32_t n = 0;
  if (!repos) return hf_hub_fail(k->call, HF_ENOMEM, NULL, "Out of memory.");
  for (uint32_t i = 0; i < k->repo_count; i++)
    if (k->repos[i].chosen) repos[n++] = &k->repos[i];
  if (n) qsort(repos, n, sizeof *repos, by_type_and_small_id);
  for (uint32_t i = 0; i < n; i++) TRY(show_revisions(out, k, repos[i]));
  return HF_OK;
}

static hf_status confirm(hf_out *out, const hf_args *args, const char *question) {
  return flag(args, "yes") ? HF_OK : hf_host()->ask(out, HF_ASK_CONFIRM, question, NULL, 0);
}

/* ---- rm ------------------------------------------------------------------------------------------------------------- */

static hf_status rm_files(hf_out *out, const hf_args *args, struct hf_cache *k, hf_store *store,
                          const struct hf_cache_choice *p) {
  hf_call *c = k->call;
  const char *size = hf_cache_size(c, p->freed);
  if (!size) return HF_ENOMEM;
  TRY(say(out, c, HF_OUT_TEXT, hf_hub_text(c, "About to delete %u file(s) totalling %s.", p->label_count, size)));
  for (uint32_t i = 0; i < p->label_count; i++) TRY(say(out, c, HF_OUT_TEXT, hf_hub_text(c, "  - %s", p->labels[i])));
  if (flag(args, "dry_run"))
    return done(out, c, "Dry run: no files were deleted.",
                json_pack("{s:b, s:i, s:s}", "dry_run", 1, "files", (int)p->label_count, "size", size));
  TRY(confirm(out, args, "Proceed with deletion?"));
  TRY(hf_cache_remove(k, store, false));
  return done(out, c, hf_hub_text(c, "Deleted %u file(s); freed %s.", p->label_count, size),
              json_pack("{s:i, s:s}", "files_deleted", (int)p->label_count, "freed", size));
}

static hf_status rm_revisions(hf_out *out, const hf_args *args, struct hf_cache *k, hf_store *store,
                              const struct hf_cache_choice *p) {
  hf_call *c = k->call;
  const char *size = hf_cache_size(c, p->freed), *what;
  if (p->repos && p->partial_revisions)
    what = hf_hub_text(c, "%u repo(s) and %u revision(s)", p->repos, p->partial_revisions);
  else
    what = p->repos ? hf_hub_text(c, "%u repo(s)", p->repos) : hf_hub_text(c, "%u revision(s)", p->revisions);
  if (!size || !what) return HF_ENOMEM;
  TRY(say(out, c, HF_OUT_TEXT, hf_hub_text(c, "About to delete %s totalling %s.", what, size)));
  TRY(show_chosen(out, k));
  if (flag(args, "dry_run"))
    return done(out, c, "Dry run: no files were deleted.",
                json_pack("{s:b, s:i, s:i, s:s}", "dry_run", 1, "repos", (int)p->repos, "revisions", (int)p->revisions,
                          "size", size));
  TRY(confirm(out, args, "Proceed with deletion?"));
  TRY(hf_cache_remove(k, store, false));
  return done(out, c, hf_hub_text(c, "Deleted %u repo(s) and %u revision(s); freed %s.", p->repos, p->revisions, size),
              json_pack("{s:i, s:i, s:s}", "repos_deleted", (int)p->repos, "revisions_deleted", (int)p->revisions,
                        "freed", size));
}

static hf_status rm(hf_out *out, const hf_args *args, struct hf_cache *k, hf_store *store) {
  hf_call *c = k->call;
  struct hf_cache_choice p;
  uint32_t n = hf_host()->arg_count(args, "targets");
  const char **targets = hf_host()->arena(c, (n + 1) * sizeof *targets);
  if (!targets) return hf_hub_fail(c, HF_ENOMEM, NULL, "Out of memory.");
  for (uint32_t i = 0; i < n; i++) targets[i] = hf_host()->arg_str(args, "targets", i);
  TRY(hf_cache_choose(k, targets, n, &p));
  const char *missing = "Could not find in cache:";
  for (uint32_t i = 0; missing && i < p.missing_count; i++)
    missing = hf_hub_text(c, "%s\n  - %s", missing, p.missing[i]);
  if (p.missing_count) TRY(say(out, c, HF_OUT_WARNING, missing));
  if (!p.label_count && flag(args, "yes") && !flag(args, "dry_run")) TRY(hf_cache_sweep(k, store, targets, n));
  if (p.label_count) return rm_files(out, args, k, store, &p);
  if (!p.revisions) return say(out, c, HF_OUT_TEXT, "Nothing to delete.");
  return rm_revisions(out, args, k, store, &p);
}

/* ---- prune ---------------------------------------------------------------------------------------------------------- */

static hf_status prune(hf_out *out, const hf_args *args, struct hf_cache *k, hf_store *store) {
  hf_call *c = k->call;
  struct hf_cache_choice p;
  uint32_t partials = 0, n = 0;
  const char *parts[3], *what = "";
  TRY(hf_cache_choose_detached(k, &p));
  uint64_t freed = p.freed + k->unused_size;
  for (uint32_t i = 0; i < k->partial_count; i++) {
    if (k->partials[i].flags & HF_HF_LIVE) continue;
    partials++;
    freed += k->partials[i].size;
  }
  bool nothing = !p.revisions && !partials && !k->unused_count;
  if (nothing && flag(args, "yes") && !flag(args, "dry_run")) TRY(hf_cache_remove(k, store, true));
  if (nothing)
    return say(out, c, HF_OUT_TEXT,
               "No unreferenced revisions, incomplete downloads or shared blobs found. Nothing to prune.");
  if (p.revisions) parts[n++] = hf_hub_text(c, "%u unreferenced revision(s)", p.revisions);
  if (partials) parts[n++] = hf_hub_text(c, "%u incomplete download(s)", partials);
  if (k->unused_count) parts[n++] = hf_hub_text(c, "%u unreferenced shared blob(s)", k->unused_count);
  for (uint32_t i = 0; what && i < n; i++)
    what = parts[i] ? hf_hub_text(c, "%s%s%s", what, !i ? "" : i + 1 == n ? " and " : ", ", parts[i]) : NULL;
  const char *size = hf_cache_size(c, freed);
  if (!what || !size) return HF_ENOMEM;
  TRY(say(out, c, HF_OUT_TEXT, hf_hub_text(c, "About to delete %s (%s total).", what, size)));
  TRY(show_chosen(out, k));
  if (flag(args, "dry_run"))
    return done(out, c, "Dry run: no files were deleted.",
                json_pack("{s:b, s:i, s:i, s:i, s:s}", "dry_run", 1, "revisions", (int)p.revisions, "incomplete",
                          (int)partials, "shared_blobs", (int)k->unused_count, "size", size));
  TRY(confirm(out, args, "Proceed?"));
  TRY(hf_cache_remove(k, store, true));
  return done(out, c, hf_hub_text(c, "Deleted %s; freed %s.", what, size),
              json_pack("{s:i, s:i, s:i, s:s}", "revisions_deleted", (int)p.revisions, "incomplete_deleted",
                        (int)partials, "shared_blobs_deleted", (int)k->unused_count, "freed", size));
}

/* A repo that is broken is left out, as the reference leaves it out; one that could not be read is told of. */
static hf_status tell_unread(hf_out *out, const struct hf_cache *k) {
  for (uint32_t i = 0; i < k->problem_count; i++)
    if (strstr(k->problems[i], " cannot be read: ")) TRY(say(out, k->call, HF_OUT_WARNING, k->problems[i]));
  return HF_OK;
}

static hf_status run(hf_call *c, const hf_args *args, hf_out *out,
                     hf_status (*fn)(hf_out *, const hf_args *, struct hf_cache *, hf_store *)) {
  struct hf_cache k;
  hf_store *store = NULL;
  TRY(hf_cache_store(c, hf_host()->arg_str(args, "cache_dir", 0), &store));
  hf_status st = hf_cache_read(c, store, NULL, HF_SCAN_FILES, &k);
  if (st == HF_OK) {
    st = tell_unread(out, &k);
    if (st == HF_OK) st = fn(out, args, &k, store);
    hf_cache_free(&k);
  }
  hf_store_close(store);
  return st;
}

hf_status hf_cache_run_rm(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  (void)state;
  return run(c, args, out, rm);
}

hf_status hf_cache_run_prune(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  (void)state;
  return run(c, args, out, prune);
}
