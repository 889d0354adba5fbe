/* 100,000 operations in one hf_create_commit(): 60,000 files from memory first, then their deletion together with 40,000 others.
 * many NAMESPACE/NAME; the repo must be there. Prints how many commits the two calls made, and the most memory that was used.
 * many.py checks what the repo holds. */
#include <hf_hub.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

enum { FIRST = 60000, SECOND = 40000 };

static struct hf_commit_op ops[FIRST + SECOND];
static char paths[FIRST + SECOND][24], texts[FIRST + SECOND][16];

static void add(size_t i) {
  snprintf(paths[i], sizeof paths[i], "d%02zu/f%zu.txt", i % 100, i);
  int n = snprintf(texts[i], sizeof texts[i], "text %zu", i);
  ops[i] = (struct hf_commit_op){
      .struct_size = sizeof ops[i], .kind = HF_COMMIT_ADD, .path = paths[i], .data = texts[i], .len = (size_t)n};
}

static int commit(hf_runtime *rt, const char *repo, uint32_t count, const char *message) {
  struct hf_hub_opts opts = {.struct_size = sizeof opts, .message = message};
  struct hf_hub_result *r;
  char text[2048] = "out of memory";
  struct hf_table table = {.rows = ops, .count = count, .stride = sizeof ops[0]};
  if (hf_create_commit(rt, repo, table, &opts, &r) == HF_OK) {
    printf("%s %s\n", message, r->page);
    hf_hub_result_free(r);
    return 0;
  }
  if (r) hf_hub_error_text(r->error, text, sizeof text);
  fprintf(stderr, "%s: %s\n", message, text);
  hf_hub_result_free(r);
  return 1;
}

int main(int argc, char **argv) {
  hf_runtime *rt;
  struct rusage used;
  if (argc != 2) return fprintf(stderr, "usage: %s NAMESPACE/NAME\n", argv[0]), 2;
  if (hf_runtime_new(NULL, &rt)) return fprintf(stderr, "%s\n", hf_runtime_problem()), 1;
  for (size_t i = 0; i < FIRST; i++) add(i);
  int rc = commit(rt, argv[1], FIRST, "first");
  for (size_t i = 0; i < FIRST; i++)
    ops[i] = (struct hf_commit_op){.struct_size = sizeof ops[i], .kind = HF_COMMIT_DELETE, .path = paths[i]};
  for (size_t i = FIRST; i < FIRST + SECOND; i++) add(i);
  if (!rc) rc = commit(rt, argv[1], FIRST + SECOND, "second");
  hf_runtime_free(rt);
  if (!rc && !getrusage(RUSAGE_SELF, &used)) printf("kib %ld\n", used.ru_maxrss);
  return rc;
}
