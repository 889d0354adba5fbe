/* cache_plan.c - which repos, revisions and files are meant, what removing them frees, and the rows that say so to the
 * store. A choice is of revisions of repos, never of commits alone: two repos may have the same commit.
 * Freed are the bytes that nothing shows afterwards: a blob of a repo once, bytes that repos share only with their last
 * user. */
#include "cache.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static hf_status add_text(hf_call *c, const char ***list, uint32_t *count, const char *text) {
  if (!(*count & (*count + 1))) {
    const char **grown = hf_host()->arena(c, (2 * (size_t)*count + 1) * sizeof *grown);
    if (!grown) return hf_hub_fail(c, HF_ENOMEM, NULL, "Out of memory.");
    if (*count) memcpy(grown, *list, *count * sizeof *grown);
    *list = grown;
  }
  (*list)[(*count)++] = text;
  return text ? HF_OK : HF_ENOMEM;
}

static const char *stripped(hf_call *c, const char *s) {
  size_t n = strlen(s);
  while (n && strchr(" \t\n\r\f\v", s[n - 1])) n--;
  while (n && strchr(" \t\n\r\f\v", *s)) s++, n--;
  return hf_host()->intern(c, s, n);
}

/* ---- what it frees -------------------------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b) {
  return strcmp(((const struct hf_cache_part *)a)->name, ((const struct hf_cache_part *)b)->name);
}

static struct hf_cache_part *shared_of(struct hf_cache *k, const char *name) {
  struct hf_cache_part key = {.name = name};
  return name && k->shared_count ? bsearch(&key, k->shared, k->shared_count, sizeof key, by_name) : NULL;
}

/* The files of a repo that are chosen, or in chosen revisions: which of its blobs go. */
static void weigh_repo(struct hf_cache *k, struct hf_cache_repo *r, struct hf_cache_choice *out) {
  for (uint32_t i = 0; i < r->count; i++) {
    struct hf_cache_revision *v = &k->revisions[r->first + i];
    for (uint32_t f = v->first; f < v->first + v->count; f++) {
      struct hf_cache_blob *b = &k->blobs[k->files[f].blob];
      if (v->chosen || k->files[f].chosen)
        b->goes = true;
      else
        b->kept = true;
    }
  }
  for (uint32_t i = r->first_blob; i < r->first_blob + r->blob_count; i++) {
    struct hf_cache_blob *b = &k->blobs[i];
    if (!b->goes || b->kept || b->flags & HF_HF_FOREIGN) continue;
    struct hf_cache_part *shared = shared_of(k, b->shared);
    if (!shared)
      out->freed += b->size;
    else if (b->flags & HF_HF_COUNTED)
      shared->going++;
  }
}

static void weigh(struct hf_cache *k, struct hf_cache_choice *out) {
  for (uint32_t i = 0; i < k->repo_count; i++) {
    struct hf_cache_repo *r = &k->repos[i];
    weigh_repo(k, r, out);
    out->revisions += r->chosen;
    if (r->chosen && r->chosen == r->count)
      out->repos++;
    else
      out->partial_revisions += r->chosen;
  }
  for (uint32_t i = 0; i < k->shared_count; i++)
    if (k->shared[i].users && k->shared[i].going == k->shared[i].users) out->freed += k->shared[i].size;
}

/* ---- what is meant -------------------------------------------------------------------------------------------------- */

static void choose(struct hf_cache_repo *r, struct hf_cache_revision *v) {
  r->chosen += !v->chosen;
  v->chosen = true;
}

static struct hf_cache_repo *repo_named(struct hf_cache *k, const char *id) {
  struct hf_cache_repo *found = NULL;
  for (uint32_t i = 0; i < k->repo_count; i++) {
    if (!strcmp(k->repos[i].id, id)) return &k->repos[i];
    if (!strcasecmp(k->repos[i].id, id)) found = &k->repos[i];
  }
  return found;
}

static bool is_commit(const char *s) {
  size_t n = strspn(s, "0123456789abcdefABCDEF");
  return n == 40 && !s[n];
}

/* A commit means its revision in every repo that has it. */
static bool choose_commit(struct hf_cache *k, const char *commit) {
  bool found = false;
  for (uint32_t i = 0; i < k->repo_count; i++)
    for (uint32_t v = 0; v < k->repos[i].count; v++) {
      struct hf_cache_revision *rev = &k->revisions[k->repos[i].first + v];
      if (strcasecmp(rev->commit, commit) != 0) continue;
      choose(&k->repos[i], rev);
      found = true;
    }
  return found;
}

static hf_status address(hf_call *c, const char *target, struct hf_hub_uri *u) {
  TRY(hf_hub_parse_uri(c, target, u));
  if (!strcmp(u->type, "bucket"))
    return hf_hub_fail(c, HF_EINVAL, "CLIError", "Only repository hf:// URIs are supported by `hf cache rm`.");
  if (u->revision)
    return hf_hub_fail(c, HF_EINVAL, "CLIError", "Revisions in hf:// URIs are not supported by `hf cache rm`. %s",
                       *u->path ? "Drop '@<revision>' to delete the file from all cached revisions."
                                : "Pass the revision hash instead, see 'hf cache ls --revisions'.");
  return HF_OK;
}

static hf_status choose_file(struct hf_cache *k, const struct hf_hub_uri *u, const char *target,
                             struct hf_cache_choice *out) {
  const char *id = hf_hub_text(k->call, "%s/%s", u->type, u->id);
  struct hf_cache_repo *r = id ? repo_named(k, id) : NULL;
  bool found = false;
  for (uint32_t i = 0; r && i < r->count; i++) {
    const struct hf_cache_revision *v = &k->revisions[r->first + i];
    for (uint32_t f = v->first; f < v->first + v->count; f++) {
      if (strcmp(k->files[f].path, u->path) != 0) continue;
      found = true;
      if (k->files[f].chosen) continue;
      k->files[f].chosen = true;
      TRY(add_text(k->call, &out->labels, &out->label_count,
                   hf_hub_text(k->call, "%s@%s/%s", r->id, v->commit, u->path)));
    }
  }
  return found ? HF_OK : add_text(k->call, &out->missing, &out->missing_count, target);
}

static bool seen_before(const char *const *list, uint32_t n, const char *s) {
  for (uint32_t i = 0; i < n; i++)
    if (!strcmp(list[i], s)) return true;
  return false;
}

static int by_text(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

hf_status hf_cache_choose(struct hf_cache *k, const char *const *targets, uint32_t count, struct hf_cache_choice *out) {
  hf_call *c = k->call;
  const char **words = hf_host()->arena(c, (count + 1) * sizeof *words);
  struct hf_hub_uri *uris = hf_host()->arena(c, (count + 1) * sizeof *uris);
  uint32_t n = 0, files = 0;
  *out = (struct hf_cache_choice){0};
  if (!words || !uris) return hf_hub_fail(c, HF_ENOMEM, NULL, "Out of memory.");
  for (uint32_t i = 0; i < count; i++) {
    const char *word = stripped(c, targets[i]);
    if (!word) return HF_ENOMEM;
    if (!*word) continue;
    words[n] = word;
    uris[n] = (struct hf_hub_uri){.path = ""};
    if (!strncmp(word, "hf://", 5)) TRY(address(c, word, &uris[n]));
    files += *uris[n].path != 0;
    n++;
  }
  if (files && files != n)
    return hf_hub_fail(c, HF_EINVAL, "CLIError", "File targets cannot be mixed with repository or revision targets.");
  for (uint32_t i = 0; i < n; i++) {
    bool found = false;
    if (files) {
      if (!seen_before(words, i, words[i])) TRY(choose_file(k, &uris[i], words[i], out));
      continue;
    }
    if (is_commit(words[i])) {
      found = choose_commit(k, words[i]);
    } else {
      const char *id = uris[i].id ? hf_hub_text(c, "%s/%s", uris[i].type, uris[i].id) : words[i];
      struct hf_cache_repo *r = id ? repo_named(k, id) : NULL;
      found = r != NULL;
      for (uint32_t v = 0; r && v < r->count; v++) choose(r, &k->revisions[r->first + v]);
    }
    if (!found) TRY(add_text(c, &out->missing, &out->missing_count, words[i]));
  }
  if (out->label_count) qsort(out->labels, out->label_count, sizeof *out->labels, by_text);
  weigh(k, out);
  return HF_OK;
}

hf_status hf_cache_choose_detached(struct hf_cache *k, struct hf_cache_choice *out) {
  *out = (struct hf_cache_choice){0};
  for (uint32_t i = 0; i < k->repo_count; i++)
    for (uint32_t v = 0; v < k->repos[i].count; v++) {
      struct hf_cache_revision *rev = &k->revisions[k->repos[i].first + v];
      if (!rev->ref_count) choose(&k->repos[i], rev);
    }
  weigh(k, out);
  return HF_OK;
}

/* ---- the store's steps ---------------------------------------------------------------------------------------------- */

struct steps {
  struct hf_held *rows;
  uint32_t count, room;
};

static bool step(struct steps *s, struct hf_held row) {
  if (s->count == s->room) {
    uint32_t room = s->room ? s->room * 2 : 64;
    void *grown = realloc(s->rows, room * sizeof *s->rows);
    if (!grown) return false;
    s->rows = grown;
    s->room = room;
  }
  row.struct_size = sizeof row;
  s->rows[s->count++] = row;
  return true;
}

static bool steps_of_repo(struct hf_cache *k, struct hf_cache_repo *r, struct steps *s) {
  bool ok = true;
  if (r->chosen && r->chosen == r->count)
    ok = step(s, (struct hf_held){.what = HF_HELD_REPO, .repo = r->repo, .path = r->folder});
  for (uint32_t i = 0; ok && i < r->count; i++) {
    const struct hf_cache_revision *v = &k->revisions[r->first + i];
    if (v->chosen)
      ok = step(s, (struct hf_held){.what = HF_HELD_REVISION, .repo = r->repo, .commit = v->commit, .path = v->folder});
    for (uint32_t f = v->first; ok && f < v->first + v->count; f++)
      if (k->files[f].chosen)
        ok = step(
            s, (struct hf_held){.what = HF_HELD_FILE, .repo = r->repo, .commit = v->commit, .path = k->files[f].path});
  }
  return ok;
}

/* "model/ns/name" or "hf://..": a repo that is named whole. */
static bool names_repo(hf_call *c, const char *target, struct hf_repo *out) {
  static const char *const types[] = {"model", "dataset", "space", "kernel"};
  struct hf_hub_uri u;
  if (!strncmp(target, "hf://", 5)) {
    if (hf_hub_parse_uri(c, target, &u) != HF_OK) return hf_host()->clear(c), false;
    *out = (struct hf_repo){u.type, u.id};
    return !*u.path && !u.revision && strcmp(u.type, "bucket") != 0;
  }
  for (size_t i = 0; i < HF_COUNT(types); i++) {
    size_t n = strlen(types[i]);
    if (strncasecmp(target, types[i], n) != 0 || target[n] != '/') continue;
    *out = (struct hf_repo){types[i], target + n + 1};
    const char *problem = hf_hub_repo_problem(c, out->id);
    return !problem;
  }
  return false;
}

hf_status hf_cache_sweep(struct hf_cache *k, hf_store *store, const char *const *targets, uint32_t count) {
  hf_call *c = k->call;
  struct hf_held *rows = hf_host()->arena(c, ((size_t)count + 1) * sizeof *rows);
  uint32_t n = 0;
  if (!rows) return hf_hub_fail(c, HF_ENOMEM, NULL, "Out of memory while removing from the cache.");
  for (uint32_t i = 0; i < count; i++) {
    const char *word = stripped(c, targets[i]);
    struct hf_repo repo;
    if (!word) return HF_ENOMEM;
    if (!names_repo(c, word, &repo)) continue;
    const char *id = hf_hub_text(c, "%s/%s", repo.type, repo.id);
    if (!id) return HF_ENOMEM;
    struct hf_cache_repo *there = repo_named(k, id);
    if (!there || !there->count)
      rows[n++] = (struct hf_held){.struct_size = sizeof *rows, .what = HF_HELD_REPO, .repo = repo};
  }
  return n ? hf_store_expunge(c, store, rows, n) : HF_OK;
}

hf_status hf_cache_remove(struct hf_cache *k, hf_store *store, bool leftovers) {
  struct steps s = {0};
  bool ok = true;
  for (uint32_t i = 0; ok && i < k->repo_count; i++) ok = steps_of_repo(k, &k->repos[i], &s);
  for (uint32_t i = 0; ok && leftovers && i < k->repo_count; i++)
    if (k->repos[i].chosen < k->repos[i].count)
      ok = step(&s, (struct hf_held){.what = HF_HELD_REPO, .repo = k->repos[i].repo});
  for (uint32_t i = 0; ok && leftovers && i < k->partial_count; i++)
    if (!(k->partials[i].flags & HF_HF_LIVE))
      ok =
          step(&s, (struct hf_held){.what = HF_HELD_PARTIAL, .repo = k->partials[i].repo, .path = k->partials[i].name});
  for (uint32_t i = 0; ok && leftovers && i < k->shared_count; i++)
    if (!k->shared[i].users) ok = step(&s, (struct hf_held){.what = HF_HELD_SHARED, .shared = k->shared[i].name});
  hf_status st = !ok       ? hf_hub_fail(k->call, HF_ENOMEM, NULL, "Out of memory while removing from the cache.")
                 : s.count ? hf_store_expunge(k->call, store, s.rows, s.count)
                           : HF_OK;
  free(s.rows);
  return st;
}
