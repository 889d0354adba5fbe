/* snapshot.c - all files of a revision, or those that the patterns choose: one look at the revision, one listing, and only
 * what the store lacks is fetched. A commit that is complete makes no request; a branch makes one.
 * Without the Hub a complete local copy is the answer, an incomplete one is said to be so. */
#include "hub.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct snap {
  struct hf_hub *hub;
  const struct hf_hub_want *w;
  struct hf_hub_stores s;
  const char *commit; /* NULL: not known yet */
  struct hf_hub_tree_list tree;
  bool listed;
  uint32_t *chosen, count; /* rows of the tree that the patterns choose */
  uint32_t done;
};

/* ---- what there is ------------------------------------------------------------------------------------------------- */

static hf_status ask_commit(struct snap *n) {
  const char *sha;
  TRY(hf_hub_sha(n->hub, &n->w->repo, n->w->revision, &sha));
  n->commit = hf_hub_is_commit(sha) ? sha : NULL;
  if (n->commit) return HF_OK;
  return hf_hub_fail(n->hub->call, HF_EPROTO, NULL,
                     "The Hub does not say which commit '%s' of %s is; check HF_ENDPOINT.", n->w->revision,
                     n->w->repo.id);
}

static hf_status look(struct snap *n) {
  if (!n->commit) TRY(ask_commit(n));
  n->listed = n->listed || hf_hub_tree_saved(n->hub, &n->s, &n->w->repo, n->commit, &n->tree);
  if (n->listed) return HF_OK;
  TRY(hf_hub_tree_asked(n->hub, &n->w->repo, n->commit, &n->tree));
  n->listed = true;
  if (n->w->dry_run || !(hf_store_caps(n->s.store) & HF_ST_TREES)) return HF_OK;
  if (hf_store_tree_put(n->hub->call, n->s.store, &n->w->repo, n->commit, n->tree.rows, n->tree.count) != HF_OK) {
    const struct hf_error *e = hf_host()->error(n->hub->call);
    hf_host()->log(n->hub->call, HF_LOG_DEBUG, "listing of %s not kept: %s", n->commit, e ? e->message : "unknown");
    hf_host()->clear(n->hub->call);
  }
  return HF_OK;
}

static hf_status choose(struct snap *n) {
  n->chosen = malloc((n->tree.count + 1) * sizeof *n->chosen);
  if (!n->chosen) return hf_hub_fail(n->hub->call, HF_ENOMEM, NULL, "Out of memory.");
  for (uint32_t i = 0; i < n->tree.count; i++)
    if (hf_hub_wanted(n->hub->call, &n->w->patterns, n->tree.rows[i].path)) n->chosen[n->count++] = i;
  return HF_OK;
}

/* One text as Python shows it: 'a', "it's", with backslashes and control characters spelled out. */
static const char *literal(hf_call *c, const char *text) {
  char quote = strchr(text, '\'') && !strchr(text, '"') ? '"' : '\'';
  char *out = hf_host()->arena(c, 4 * strlen(text) + 3), *to = out;
  if (!out) return NULL;
  *to++ = quote;
  for (; *text; text++) {
    unsigned char ch = (unsigned char)*text;
    const char *named = strchr("\nn\rr\tt", ch);
    if (ch == '\\' || ch == (unsigned char)quote)
      *to++ = '\\', *to++ = *text;
    else if (ch == '\n' || ch == '\r' || ch == '\t')
      *to++ = '\\', *to++ = named[1];
    else if (ch < 0x20 || ch == 0x7f)
      to += snprintf(to, 5, "\\x%02x", ch);
    else
      *to++ = *text;
  }
  *to++ = quote;
  *to = 0;
  return out;
}

/* "name=['*.bin', 'a']" as Python shows a list of texts. */
static const char *shown(hf_call *c, const char *text, const char *name, const char *const *patterns, uint32_t count) {
  if (!patterns || !text) return text;
  text = hf_hub_text(c, "%s%s%s=[", text, *text ? ", " : "", name);
  for (uint32_t i = 0; text && i < count; i++) {
    const char *one = literal(c, patterns[i]);
    text = one ? hf_hub_text(c, "%s%s%s", text, i ? ", " : "", one) : NULL;
  }
  return text ? hf_hub_text(c, "%s]", text) : NULL;
}

static void say_nothing_matches(struct snap *n) {
  const struct hf_hub_patterns *p = &n->w->patterns;
  if (n->count || !n->tree.count || (!p->allow && !p->ignore)) return;
  const char *text = shown(n->hub->call, "", "allow_patterns", p->allow, p->allow_count);
  text = shown(n->hub->call, text, "ignore_patterns", p->ignore, p->ignore_count);
  if (text) hf_hub_log(n->hub, HF_LOG_WARNING, "No files matched %s.", text);
}

/* ---- without the Hub ----------------------------------------------------------------------------------------------------- */

static hf_status incomplete(struct snap *n, const struct hf_error *cause, const char *folder) {
  hf_call *c = n->hub->call;
  const char *why = cause ? hf_hub_cause(c, cause) : NULL;
  uint32_t missing = 0;
  const char *sample = "";
  if (!n->listed) return HF_OK; /* nobody knows what should be there */
  TRY(choose(n));
  for (uint32_t i = 0; sample && i < n->count; i++) {
    const struct hf_tree_entry *e = &n->tree.rows[n->chosen[i]];
    if (e->present) continue;
    if (missing++ < 3) sample = hf_hub_text(c, "%s%s%s", sample, *sample ? ", " : "", e->path);
  }
  if (!missing || !sample) return HF_OK;
  if (missing > 3) sample = hf_hub_text(c, "%s, ... (%u more)", sample, missing - 3);
  const char *text =
      why ? why
          : hf_hub_text(
                c,
                "The cached snapshot for '%s' (revision '%s', commit %s) is incomplete: %u file(s) are missing (%s). "
                "Outgoing traffic is disabled ('local_files_only=True'). Re-run the download with network access to "
                "complete the snapshot.",
                n->w->repo.id, n->w->revision, n->commit, missing, sample);
  struct hf_error e = cause ? *cause : (struct hf_error){.code = HF_EOFFLINE};
  e.struct_size = sizeof e;
  e.cls = "IncompleteSnapshotError";
  e.message =
      text ? hf_hub_text(c, "Local entry not found. %s\nIncomplete snapshot available at: %s", text, folder) : NULL;
  return e.message ? hf_host()->fail(c, &e) : HF_ENOMEM;
}

static bool has_entries(const char *folder) {
  DIR *d = folder ? opendir(folder) : NULL;
  bool any = false;
  for (struct dirent *e; d && !any && (e = readdir(d));)
    any = strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
  if (d) closedir(d);
  return any;
}

static hf_status local_copy(struct snap *n, const struct hf_error *cause, const char **path) {
  hf_call *c = n->hub->call;
  const char *folder = NULL;
  if (n->w->dry_run) {
    struct hf_error e = cause ? *cause : (struct hf_error){.code = HF_EOFFLINE};
    e.struct_size = sizeof e;
    e.cls = "DryRunError";
    e.message =
        "Dry run cannot be performed as the repository cannot be accessed. Please check your internet connection or "
        "authentication token.";
    return hf_host()->fail(c, &e);
  }
  if (!n->commit) n->commit = hf_hub_saved_commit(n->hub, n->w, &n->s);
  if (n->commit && !n->listed) n->listed = hf_hub_tree_saved(n->hub, &n->s, &n->w->repo, n->commit, &n->tree);
  if (n->commit || n->s.local) TRY(hf_hub_folder(n->hub, n->w, &n->s, n->commit, &folder));
  if (folder && (n->s.local ? has_entries(folder) : !access(folder, F_OK))) {
    TRY(incomplete(n, cause, folder));
    if (n->s.local && cause)
      hf_hub_log(n->hub, HF_LOG_WARNING,
                 "Returning existing local_dir `%s` as remote repo cannot be accessed in `snapshot_download` (%s).",
                 folder, hf_hub_cause(c, cause));
    *path = folder;
    return HF_OK;
  }
  if (cause) return hf_hub_no_copy(n->hub, cause);
  return hf_hub_fail(c, HF_EOFFLINE, "LocalEntryNotFoundError",
                     "Local entry not found. Cannot find an appropriate cached snapshot folder for the specified "
                     "revision on the local disk "
                     "and outgoing traffic has been disabled. To enable repo look-ups and downloads online, pass "
                     "'local_files_only=False' as "
                     "input.");
}

/* ---- with it ----------------------------------------------------------------------------------------------------------------- */

static void tell(struct snap *n, uint32_t type, const char *text) {
  hf_host()->emit(n->hub->call, &(struct hf_event){.struct_size = sizeof(struct hf_event),
                                                   .type = type,
                                                   .item = UINT32_MAX,
                                                   .done = n->done,
                                                   .total = n->count,
                                                   .text = text});
}

static void on_done(void *arg, uint32_t i, const struct hf_st_file *f) {
  struct snap *n = arg;
  (void)i, (void)f;
  n->done++;
  tell(n, HF_EV_STATE, NULL);
}

static hf_status fetch(struct snap *n) {
  struct hf_fetch_file *files = calloc(n->count + 1, sizeof *files);
  uint32_t count = 0;
  hf_status st = files ? HF_OK : hf_hub_fail(n->hub->call, HF_ENOMEM, NULL, "Out of memory.");
  for (uint32_t i = 0; st == HF_OK && i < n->count; i++) {
    const struct hf_tree_entry *e = &n->tree.rows[n->chosen[i]];
    struct hf_hub_meta m;
    if (e->present && !n->w->force) {
      n->done++;
      continue;
    }
    st = hf_hub_check_file(n->hub->call, e->path);
    if (st == HF_OK) st = hf_hub_tree_meta(n->hub, &n->w->repo, n->commit, e, &m);
    if (st != HF_OK) break;
    files[count] = (struct hf_fetch_file){.struct_size = sizeof *files,
                                          .flags = n->w->force ? HF_IN_FORCE : 0,
                                          .path = e->path,
                                          .etag = m.etag,
                                          .xet_hash = m.xet_hash,
                                          .url = m.url,
                                          .size = m.size};
    hf_hub_digest(m.etag, &files[count++].digest);
  }
  if (st == HF_OK && count) {
    if (n->done) tell(n, HF_EV_STATE, NULL);
    st = hf_hub_fetch(n->hub, n->w, &n->s, n->commit, files, count, on_done, n);
  }
  free(files);
  return st;
}

static hf_status plan(struct snap *n, struct hf_hub_plan **plans, uint32_t *count) {
  *plans = hf_host()->arena(n->hub->call, (n->count + 1) * sizeof **plans);
  *count = 0;
  if (!*plans) return hf_hub_fail(n->hub->call, HF_ENOMEM, NULL, "Out of memory.");
  for (uint32_t i = 0; i < n->count; i++) {
    const struct hf_tree_entry *e = &n->tree.rows[n->chosen[i]];
    struct hf_hub_meta m;
    TRY(hf_hub_check_file(n->hub->call, e->path));
    TRY(hf_hub_tree_meta(n->hub, &n->w->repo, n->commit, e, &m));
    if (e->present)
      (*plans)[*count] = (struct hf_hub_plan){.path = e->path, .size = m.size, .will_download = n->w->force};
    else
      TRY(hf_hub_plan_file(n->hub, n->w, &n->s, &m, e->path, &(*plans)[*count]));
    ++*count;
    n->done++;
    tell(n, HF_EV_STATE, NULL);
  }
  return HF_OK;
}

static hf_status run(struct snap *n, const char **path, struct hf_hub_plan **plans, uint32_t *count) {
  struct hf_error e;
  n->commit = hf_hub_is_commit(n->w->revision) ? n->w->revision : NULL;
  if (n->w->local_only) return local_copy(n, NULL, path);
  hf_status st = look(n);
  if (st != HF_OK) {
    TRY(hf_hub_fall_back(n->hub, st, &e));
    return local_copy(n, &e, path);
  }
  TRY(choose(n));
  say_nothing_matches(n);
  tell(n, HF_EV_BEGIN, hf_hub_text(n->hub->call, "%sFetching %u files", n->w->dry_run ? "[dry-run] " : "", n->count));
  st = n->w->dry_run ? plan(n, plans, count) : fetch(n);
  tell(n, HF_EV_END, NULL);
  if (st == HF_ENET ||
      st == HF_ETIMEDOUT) { /* the first to notice that the Hub is out of reach, when all else was kept */
    TRY(hf_hub_fall_back(n->hub, st, &e));
    return hf_hub_no_copy(n->hub, &e);
  }
  if (st != HF_OK || n->w->dry_run) return st;
  hf_hub_save_commit(n->hub, n->w, &n->s, n->commit);
  return hf_hub_folder(n->hub, n->w, &n->s, n->commit, path);
}

hf_status hf_hub_snapshot(struct hf_hub *hub, const struct hf_hub_want *w, const char **path,
                          struct hf_hub_plan **plans, uint32_t *count) {
  struct snap n = {.hub = hub, .w = w};
  TRY(hf_hub_check_repo(hub->call, w->repo.id));
  TRY(hf_hub_check_type(hub->call, w->repo.type));
  TRY(hf_hub_stores_open(hub, w, &n.s));
  hf_status st = run(&n, path, plans, count);
  free(n.chosen);
  hf_hub_tree_free(&n.tree);
  hf_hub_stores_close(&n.s);
  return st;
}
