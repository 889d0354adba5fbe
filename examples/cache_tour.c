/* cache_tour.c - a program that looks through the cache and makes room in it.
 * cc cache_tour.c $(pkg-config --cflags --libs libhf) -o cache_tour && ./cache_tour [TARGET...]
 * Without targets it prints what the cache holds; with targets (model/NAMESPACE/NAME, hf:// addresses, commits) it prints
 * what removing them would free, and removes them when HF_CACHE_TOUR_DELETE is set. */
#include <hf_hub.h>
#include <stdio.h>
#include <stdlib.h>

static int failed(const char *what, struct hf_hub_result *r) {
  char text[2048] = "out of memory";
  if (r) hf_hub_error_text(r->error, text, sizeof text);
  fprintf(stderr, "%s: %s\n", what, text);
  hf_hub_result_free(r);
  return 1;
}

int main(int argc, char **argv) {
  struct hf_hub_opts opts = {.struct_size = sizeof opts, .library = "cache_tour/1.0"};
  struct hf_hub_result *r;
  hf_runtime *rt;
  hf_status st;
  if (hf_runtime_new(NULL, &rt)) return fprintf(stderr, "%s\n", hf_runtime_problem()), 1;
  if (!getenv("HF_CACHE_TOUR_DELETE")) opts.flags = HF_HUB_DRY_RUN;
  if (argc < 2)
    st = hf_cache_scan(rt, &opts, &r);
  else
    st = hf_cache_delete(rt, (const char *const *)argv + 1, &opts, &r);
  if (st) {
    hf_runtime_free(rt);
    return failed(argc < 2 ? "scan" : "delete", r);
  }
  printf("%s\n", r->json);
  hf_hub_result_free(r);
  hf_runtime_free(rt);
  return 0;
}
