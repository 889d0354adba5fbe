/* fuzz_store.c - a cache and a folder that others wrote: listings, refs, metadata, links' targets.
 * Input: first byte chooses the file, the rest is its content. The stores are opened as plugins, as a program does.
 * Rows that come back hold names that pass the rule for names and hashes of the right form. */
#include <sys/stat.h>

#include "fuzz.h"

#define COMMIT "1234567890abcdef1234567890abcdef12345678"
#define REPO   "cache/models--a--b"

static const char *const files[] = {REPO "/trees/" COMMIT ".json", REPO "/refs/main",
                                    "folder/.cache/huggingface/trees/" COMMIT ".json",
                                    "folder/.cache/huggingface/download/f.txt.metadata", REPO "/blobs/" COMMIT};

static hf_status row(void *arg, uint32_t what, const void *data) {
  (void)arg;
  if (what == HF_PUT_ENTRY) {
    const struct hf_tree_entry *e = data;
    FUZZ_CHECK(e->path && e->path[0] != '/' && strncmp(e->path, "../", 3) && strcmp(e->path, ".."));
  } else if (what == HF_PUT_REF) {
    const struct hf_ref *r = data;
    FUZZ_CHECK(!r->commit || hf_is_commit(r->commit));
  }
  return HF_OK;
}

static void look(hf_call *c, const char *uri, const struct hf_repo *repo) {
  hf_store *s = NULL;
  FUZZ_CHECK(hf_store_open(c, uri, &s) == HF_OK);
  struct hf_st_file f = {.struct_size = sizeof f};
  struct hf_name name = {*repo, COMMIT, "f.txt"};
  const char *commit = NULL;
  (void)hf_store_tree_get(c, s, repo, COMMIT, row, NULL);
  hf_call_clear(c);
  (void)hf_store_find(c, s, &name, &f);
  hf_call_clear(c);
  if (hf_store_ref_get(c, s, repo, "main", &commit) == HF_OK) FUZZ_CHECK(hf_is_commit(commit));
  hf_call_clear(c);
  (void)hf_store_ref_each(c, s, repo, row, NULL);
  hf_call_clear(c);
  hf_store_close(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (!size) return 0;
  char uri[256], path[256];
  struct hf_repo repo = {"model", "a/b"};
  hf_call *c = fuzz_call();
  const char *file = files[data[0] % HF_COUNT(files)];
  fuzz_file(file, data + 1, size - 1);
  fuzz_file("folder/f.txt", "text", 4);
  snprintf(uri, sizeof uri, "hub-cache:%s/cache", fuzz_folder());
  look(c, uri, &repo);
  snprintf(uri, sizeof uri, "local-dir:%s/folder", fuzz_folder());
  look(c, uri, &repo);
  snprintf(path, sizeof path, "%s/%s", fuzz_folder(), file);
  unlink(path);
  hf_call_end(c);
  return 0;
}
