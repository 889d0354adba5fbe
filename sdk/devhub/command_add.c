/* command_add.c - `hf-devhub add`: a folder, a file or generated content becomes a commit of a repo.
 * Works on a data folder (also one that a server has open) or through a running server, and prints the commit.
 * The commit itself is made by the store, from the same document in both cases. */
#include "add.h"
#include <stdio.h>
#include <string.h>

struct add_options {
  const char *data, *url, *generate, *type, *revision, *tag, *title, *prefix, *private, *public, *gated, *replace,
      *threshold, *downloads, *likes, *not_gated;
  const char *lfs[VALUES_MAX], *deleted[VALUES_MAX];
  size_t lfs_count, deleted_count;
};

static void document_number(json_t *document, const char *name, const char *text) {
  uint64_t n;
  if (text && dh_number(text, INT64_MAX, &n)) json_object_set_new(document, name, json_integer((json_int_t)n));
}

static json_t *document_make(const struct add_options *o, const char *repo, json_t *files) {
  json_t *document =
      json_pack("{s:s, s:s, s:s, s:o}", "repo", repo, "type", o->type, "revision", o->revision, "files", files);
  if (!document) return NULL;
  if (o->tag) json_object_set_new(document, "tag", json_string(o->tag));
  if (o->title) json_object_set_new(document, "title", json_string(o->title));
  if (o->private || o->public) json_object_set_new(document, "private", json_boolean(o->private != NULL));
  if (o->gated || o->not_gated) json_object_set_new(document, "gated", json_string(o->gated ? o->gated : ""));
  if (o->replace) json_object_set_new(document, "replace", json_true());
  document_number(document, "downloads", o->downloads);
  document_number(document, "likes", o->likes);
  json_t *deleted = json_array();
  for (size_t i = 0; i < o->deleted_count; i++) json_array_append_new(deleted, json_string(o->deleted[i]));
  json_object_set_new(document, "deleted", deleted);
  return document;
}

static bool run(const struct add_options *o, struct destination *to, const char *repo, const char *path) {
  struct addition a = {.to = to, .files = json_array(), .lfs_count = o->lfs_count, .prefix = o->prefix};
  const char *patterns[VALUES_MAX];
  memcpy(patterns, o->lfs, sizeof patterns);
  a.lfs_patterns = patterns;
  char oid[41];
  if (!dh_bytes(o->threshold, &a.lfs_threshold)) {
    fprintf(stderr, "hf-devhub add: %s is not a size\n", o->threshold);
    json_decref(a.files);
    return false;
  }
  bool ok = (!path || dh_add_path(&a, path)) && (!o->generate || dh_add_generated(&a, o->generate, repo));
  if (!ok) {
    json_decref(a.files);
    return false;
  }
  json_t *document = document_make(o, repo, a.files);
  ok = document && dh_add_commit(to, document, oid);
  if (ok) printf("%s\n", oid);
  return ok && fflush(stdout) == 0;
}

/* `--gated` alone means automatic approval: the value is optional, unlike all others. */
static void gated_value(int argc, char **argv) {
  static char with_value[] = "--gated=auto";
  for (int i = 0; i < argc; i++)
    if (strcmp(argv[i], "--gated") == 0 &&
        (i + 1 == argc || (strcmp(argv[i + 1], "auto") != 0 && strcmp(argv[i + 1], "manual") != 0)))
      argv[i] = with_value;
}

int dh_command_add(int argc, char **argv) {
  struct add_options o = {.type = "model", .revision = "main", .threshold = "10MB"};
  const struct option_row rows[] = {
      {"data", false, &o.data, NULL},
      {"url", false, &o.url, NULL},
      {"generate", false, &o.generate, NULL},
      {"type", false, &o.type, NULL},
      {"repo-type", false, &o.type, NULL},
      {"revision", false, &o.revision, NULL},
      {"tag", false, &o.tag, NULL},
      {"title", false, &o.title, NULL},
      {"path-in-repo", false, &o.prefix, NULL},
      {"private", true, &o.private, NULL},
      {"public", true, &o.public, NULL},
      {"gated", false, &o.gated, NULL},
      {"not-gated", true, &o.not_gated, NULL},
      {"replace", true, &o.replace, NULL},
      {"lfs", false, o.lfs, &o.lfs_count},
      {"lfs-threshold", false, &o.threshold, NULL},
      {"delete", false, o.deleted, &o.deleted_count},
      {"downloads", false, &o.downloads, NULL},
      {"likes", false, &o.likes, NULL},
  };
  gated_value(argc, argv);
  int count = dh_options("add", rows, sizeof rows / sizeof *rows, argc, argv);
  if (count < 0) return 2;
  if (count < 1 || count > 2 || !o.data == !o.url) {
    fprintf(stderr, "hf-devhub add: needs a repo id, at most one path, and either --data or --url\n");
    return 2;
  }
  struct destination to = {.client = {.fd = -1}};
  if (o.data ? !(to.store = dh_store_open(o.data)) : !dh_client_open(&to.client, o.url)) return 1;
  bool ok = run(&o, &to, argv[0], count > 1 ? argv[1] : NULL);
  dh_store_close(to.store);
  dh_client_close(&to.client);
  return ok ? 0 : 1;
}
