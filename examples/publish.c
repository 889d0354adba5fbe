/* publish.c - a program that embeds libhf and publishes: one file, a folder, and a commit of several operations whose bytes come
 * from a file, from memory and from a function.
 * cc publish.c $(pkg-config --cflags --libs libhf) -o publish && ./publish NAMESPACE/NAME FILE FOLDER
 * The repo must be there (hf repos create). Where the Hub is and which token is sent come from the environment. */
#include <hf_hub.h>
#include <stdio.h>
#include <string.h>

static int failed(const char *what, struct hf_hub_result *r) {
  char text[2048] = "out of memory";
  if (r) hf_hub_error_text(r->error, text, sizeof text);
  fprintf(stderr, "%s: %s\n", what, text);
  hf_hub_result_free(r);
  return 1;
}

static void say(const char *what, struct hf_hub_result *r) {
  printf("%s %s %s\n", what, r->page, r->sha);
  hf_hub_result_free(r);
}

/* A file of a million letters that is nowhere: the bytes of [off, off + len), as often as they are asked for. */
static hf_status letters(void *arg, void *buf, size_t len, uint64_t off, size_t *got) {
  const char *alphabet = arg;
  for (size_t i = 0; i < len; i++) ((char *)buf)[i] = alphabet[(off + i) % 26];
  *got = len;
  return HF_OK;
}

static int publish(hf_runtime *rt, const char *repo, const char *file, const char *folder) {
  static char alphabet[] = "abcdefghijklmnopqrstuvwxyz";
  static const char card[] = "---\nlicense: mit\n---\n# Published from C\n";
  static const char *const unwanted[] = {"*.tmp", NULL};
  struct hf_hub_opts opts = {.struct_size = sizeof opts, .library = "publish/1.0"};
  struct hf_hub_result *r;

  if (hf_upload_file(rt, repo, file, NULL, &opts, &r)) return failed("file", r);
  say("file", r);

  opts.ignore = unwanted;
  if (hf_upload_folder(rt, repo, folder, "data", &opts, &r)) return failed("folder", r);
  say("folder", r);

  struct hf_commit_op ops[] = {
      {.kind = HF_COMMIT_ADD, .path = "copy/of-a-file", .file = file},
      {.kind = HF_COMMIT_ADD, .path = "README.md", .data = card, .len = strlen(card)},
      {.kind = HF_COMMIT_ADD, .path = "letters.bin", .read = letters, .arg = alphabet, .size = 1000000},
      {.kind = HF_COMMIT_DELETE_FOLDER, .path = "data/"},
  };
  for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) ops[i].struct_size = sizeof ops[0];
  opts.message = "Several things at once";
  if (hf_create_commit(rt, repo, (struct hf_table)HF_TABLE(ops), &opts, &r)) return failed("commit", r);
  say("commit", r);
  return 0;
}

int main(int argc, char **argv) {
  hf_runtime *rt;
  if (argc != 4) return fprintf(stderr, "usage: %s NAMESPACE/NAME FILE FOLDER\n", argv[0]), 2;
  if (hf_runtime_new(NULL, &rt)) return fprintf(stderr, "%s\n", hf_runtime_problem()), 1;
  int rc = publish(rt, argv[1], argv[2], argv[3]);
  hf_runtime_free(rt);
  return rc;
}
