/* fuzz_hub.c - a Hub that answers anything: heads, redirects, pages, JSON to records, downloads into memory.
 * Input: first byte chooses the operation, the rest is the script of answers (fake_net.c).
 * An operation that fails says why; a record is JSON. */
#include "fake_net.h"

static const struct {
  const char *task, *args;
} operations[] = {{"models.info", "{\"model_id\":\"a/b\"}"},
                  {"models.list", "{\"limit\":5}"},
                  {"datasets.info", "{\"dataset_id\":\"a/b\"}"},
                  {"spaces.info", "{\"space_id\":\"a/b\"}"},
                  {"models.list", "{\"model_id\":\"a/b\"}"},
                  {"download", "{\"repo_id\":\"a/b\"}"},
                  {"download", "{\"repo_id\":\"a/b\",\"filenames\":[\"f.txt\"]}"},
                  {"download", "{\"repo_id\":\"a/b\",\"dry_run\":true}"},
                  {"auth.whoami", "{}"},
                  {"datasets.list", "{\"limit\":3}"}};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const struct hf_kv store = {"HF_STORE", "memory:"};
  if (!size) return 0;
  size_t k = data[0] % HF_COUNT(operations);
  fake_net_run(operations[k].task, operations[k].args, &store, data + 1, size - 1);
  return 0;
}
