/* read_range.c - bytes of a file into memory by hf_read_range, written to stdout, for tests.
 * Usage: xet-read-range REPO FILE OFFSET LENGTH.
 * Ends with 1 and the error's words when there are none to be had. */
#include <hf_hub.h>
#include <hfcore.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
  struct hf_hub_result *r = NULL;
  hf_runtime *rt = NULL;
  if (argc != 5 || hf_runtime_new(NULL, &rt) != HF_OK) return 2;
  hf_status st =
      hf_read_range(rt, argv[1], argv[2], strtoull(argv[3], NULL, 10), strtoull(argv[4], NULL, 10), NULL, &r);
  if (st == HF_OK)
    fwrite(r->data, 1, r->len, stdout);
  else
    fprintf(stderr, "%s\n", r && r->error && r->error->message ? r->error->message : "no words");
  hf_hub_result_free(r);
  hf_runtime_free(rt);
  return st == HF_OK && fflush(stdout) == 0 ? 0 : 1;
}
