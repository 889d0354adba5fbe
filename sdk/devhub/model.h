/* model.h - the server as an inference provider: what the files that answer as models share.
 * An answer depends on the request alone: text comes back, vectors and pictures are made of the text's hash.
 * Jobs are the one thing that is remembered: how often each was looked at. */
#ifndef DEVHUB_MODEL_H
#define DEVHUB_MODEL_H
#include "server.h"

/* {"error": {"message", "type", "code"}}, the shape of OpenAI's interface. */
void dh_model_error(struct request *r, int status, const char *code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The text of a message's content: a string, or the text parts of a list. */
char *dh_model_text(const json_t *content);
/* Unit vectors from texts. */
enum { VECTOR_SIZE = 16, VECTOR_MAX = 4096 };
void dh_model_vector(const char *text, size_t size, float *out);
json_t *dh_model_vector_json(const char *text, size_t size);

/* model_chat.c: POST .../chat/completions, .../completions. */
void dh_model_chat(struct request *r, const json_t *body);
void dh_model_completion(struct request *r, const json_t *body);
/* model_task.c: POST .../models/{id}[/pipeline/{task}], as HF Inference has it. */
void dh_model_task(struct request *r, const char *id);
/* model_media.c: files made from a text. width and height are at most PICTURE_MAX. */
enum { PICTURE_SIZE = 64, PICTURE_MAX = 512 };
void dh_model_picture(struct text *out, const char *prompt, unsigned width, unsigned height);
void dh_model_sound(struct text *out, const char *prompt);
void dh_model_video(struct text *out, const char *prompt);
/* The URL under which the file is served: GET /media/{kind}/{hash}. */
void dh_model_media_url(const struct request *r, struct text *url, const char *suffix, const char *prompt);
/* model_job.c: what takes longer. A new job's number; how far it is, which counts the look. */
enum job_state { JOB_NONE, JOB_QUEUED, JOB_RUNNING, JOB_DONE, JOB_CANCELED };
struct jobs;
struct jobs *dh_jobs_new(void);
void dh_jobs_free(struct jobs *jobs);
void dh_model_job_start(struct request *r, const json_t *body);
#endif
