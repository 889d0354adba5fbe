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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const struct hf_kv no_xet = {"HF_HUB_DISABLE_XET", "1"};
  static char big[3 << 20];
  if (!size) return 0;
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
  fake_net_run("upload", args, &no_xet, data + 1, size - 1);
  FUZZ_CHECK(!stat(path, &after) && after.st_size == before.st_size);
  fuzz_remove("up/.cache"); /* what an upload remembers */
  return 0;
}
