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

static int32_t record(void *arg, uint32_t what, const char *json, size_t len) {
  (void)arg, (void)what;
  FUZZ_CHECK(len && json);
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (!size) return 0;
  static const struct hf_kv options[] = {{"HF_STORE", "memory:"}, {"HF_TRIES", "1"}, {"HF_TOKEN", FAKE_NET_SECRET}};
  hf_runtime *rt = fuzz_runtime(NULL);
  char *text = fuzz_text(data + 1, size - 1);
  fake_net_script(text);
  struct hf_watch watch = {.struct_size = sizeof watch,
                           .flags = HF_WATCH_RUN_IN_WAIT,
                           .record = record,
                           .deadline_ms = 20000,
                           .options = HF_TABLE_N(options, 3)};
  size_t k = data[0] % HF_COUNT(operations);
  hf_op *op = hf_op_start(rt, operations[k].task, operations[k].args, &watch);
  FUZZ_CHECK(op);
  hf_status st = hf_op_wait(op);
  FUZZ_CHECK(st == HF_OK || (hf_op_error(op) && hf_op_error(op)->message[0]));
  hf_op_free(op);
  fake_net_script(NULL);
  free(text);
  return 0;
}
