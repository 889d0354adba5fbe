/* hub_tour.c - a program that embeds libhf: looks at a repo, downloads one file and the whole snapshot, reads a range.
 * cc hub_tour.c $(pkg-config --cflags --libs libhf) -o hub_tour && ./hub_tour NAMESPACE/NAME FILE
 * Where the Hub is, which token is sent and where files go come from the environment (HF_ENDPOINT, HF_TOKEN, HF_HOME). */
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

static void on_progress(void *arg, const struct hf_event *e) {
  (void)arg;
  if (e->type == HF_EV_END && e->item != UINT32_MAX)
    fprintf(stderr, "file %u: %llu bytes\n", e->item, (unsigned long long)e->done);
}

static int tour(hf_runtime *rt, const char *repo, const char *file) {
  struct hf_watch watch = {.struct_size = sizeof watch, .progress = on_progress};
  struct hf_hub_opts opts = {.struct_size = sizeof opts, .library = "hub_tour/1.0", .watch = &watch};
  struct hf_hub_result *r;

  if (hf_model_info(rt, repo, &opts, &r)) return failed("info", r);
  printf("repo %s commit %s\n", r->id, r->sha);
  hf_hub_result_free(r);

  opts.flags = HF_HUB_RECURSIVE;
  if (hf_list_repo_tree(rt, repo, &opts, &r)) return failed("tree", r);
  printf("tree %s\n", r->json);
  hf_hub_result_free(r);
  opts.flags = 0;

  if (hf_hub_download(rt, repo, file, &opts, &r)) return failed("download", r);
  printf("file %s\n", r->path);
  hf_hub_result_free(r);

  if (hf_snapshot_download(rt, repo, &opts, &r)) return failed("snapshot", r);
  printf("snapshot %s\n", r->path);
  hf_hub_result_free(r);

  if (hf_read_range(rt, repo, file, 2, 4, &opts, &r)) return failed("range", r);
  printf("range %zu %.*s\n", r->len, (int)r->len, (const char *)r->data);
  hf_hub_result_free(r);
  return 0;
}

int main(int argc, char **argv) {
  hf_runtime *rt;
  if (argc != 3) return fprintf(stderr, "usage: %s NAMESPACE/NAME FILE\n", argv[0]), 2;
  if (hf_runtime_new(NULL, &rt)) return fprintf(stderr, "%s\n", hf_runtime_problem()), 1;
  int rc = tour(rt, argv[1], argv[2]);
  hf_runtime_free(rt);
  return rc;
}
