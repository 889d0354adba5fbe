/* fuzz_upload.c - a Hub that answers anything while files are sent to it: repo, preupload, LFS batch, parts, commit.
 * Input: first byte chooses what is sent, the rest is the script of answers (fake_net.c).
 * An upload that fails says why; the token goes to nobody but the Hub; what is on disk stays as it is. */
#include <sys/stat.h>

#include "fake_net.h"

static const struct {
  const char *path, *more;
} uploads[] = {{"up/small.txt", "\"path_in_repo\":\"a.txt\""},
               {"up/big.bin", "\"path_in_repo\":\"d/big.bin\",\"create_pr\":true"},
               {"up", "\"path_in_repo\":\".\""},
               {"up", "\"path_in_repo\":\"d\",\"delete\":[\"*.bin\"],\"revision\":\"refs/pr/1\""},
               {"up/big.bin", "\"path_in_repo\":\"big.bin\",\"private\":true,\"repo_type\":\"dataset\""}};

static int32_t record(void *arg, uint32_t what, const char *json, size_t len) {
  (void)arg, (void)what;
  FUZZ_CHECK(json && len);
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const struct hf_kv options[] = {{"HF_TRIES", "1"}, {"HF_TOKEN", FAKE_NET_SECRET}, {"HF_HUB_DISABLE_XET", "1"}};
  static char big[3 << 20];
  if (!size) return 0;
  hf_runtime *rt = fuzz_runtime(NULL);
  struct stat before, after;
  char args[1024], path[512];
  size_t k = data[0] % HF_COUNT(uploads);
  fuzz_file("up/small.txt", "small", 5);
  snprintf(path, sizeof path, "%s/up/big.bin", fuzz_folder());
  if (stat(path, &before)) {
    fuzz_file("up/big.bin", big, sizeof big);
    FUZZ_CHECK(!stat(path, &before));
  }
  snprintf(args, sizeof args, "{\"repo_id\":\"a/b\",\"local_path\":\"%s/%s\",%s}", fuzz_folder(), uploads[k].path,
           uploads[k].more);
  char *text = fuzz_text(data + 1, size - 1);
  fake_net_script(text);
  struct hf_watch watch = {.struct_size = sizeof watch,
                           .flags = HF_WATCH_RUN_IN_WAIT,
                           .record = record,
                           .deadline_ms = 20000,
                           .options = HF_TABLE_N(options, 3)};
  hf_op *op = hf_op_start(rt, "upload", args, &watch);
  FUZZ_CHECK(op);
  hf_status st = hf_op_wait(op);
  const struct hf_error *e = hf_op_error(op);
  FUZZ_CHECK(st == HF_OK || (e && e->message[0] && !strstr(e->message, FAKE_NET_SECRET)));
  hf_op_free(op);
  FUZZ_CHECK(!stat(path, &after) && after.st_size == before.st_size);
  fake_net_script(NULL);
  fuzz_remove("up/.cache"); /* what an upload remembers */
  free(text);
  return 0;
}
