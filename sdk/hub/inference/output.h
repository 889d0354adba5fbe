/* output.h - where the result of `hf inference` goes: stdout as JSON or as text, or a file for media.
 * A file appears under its name when it is whole; after an error nothing is left.
 * Private to the commands of inference. */
#ifndef INF_OUTPUT_H
#define INF_OUTPUT_H
#include "infer.h"

struct inf_output {
  hf_call *c;
  hf_out *out;
  const struct inf_task *spec; /* NULL: a task that is not ours */
  const char *task, *output;   /* output: --output; NULL: a name is made */
  bool json, show;
  json_t *history; /* gets what was said; NULL */
  int fd;
  char *part;       /* the file while it grows */
  const char *path; /* where it goes; NULL: found when the type is known */
  bool line_open;   /* text was shown, and its line does not end yet */
  char *said;       /* chat: what was said so far, for the history */
  size_t said_len, said_cap;
};
hf_status inf_output_item(hf_call *, void *output, json_t *item);
hf_status inf_output_media(hf_call *, void *output, const void *, size_t);
/* Shows what there is to show, or removes what failed; `st` or what went wrong now. */
hf_status inf_output_end(struct inf_output *, hf_status st, struct inf_answer *, bool streamed);
/* picture.c: the file that was written, in the terminal, where it can. */
hf_status inf_output_picture(struct inf_output *, const char *type);
bool inf_wants_json(hf_call *);
hf_status inf_read(hf_call *, const char *path, const char **text, size_t *len); /* "-": stdin */
/* One turn of a conversation: the answer is shown, streaming for people, and added to the messages. */
hf_status inf_chat_turn(hf_call *, const hf_args *, json_t *messages, hf_out *);
/* chat_image.c: the user's message, with pictures (paths or URLs); of a typed line with "@picture" words. New reference. */
hf_status inf_chat_message(hf_call *, const char *text, size_t len, const char *const *pictures, uint32_t n, json_t **);
hf_status inf_chat_line(hf_call *, const char *line, json_t **message);
#endif
