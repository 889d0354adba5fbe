/* server.h - the web server of the transfer rules: on loopback, a thread per connection, each URL says how it behaves.
 *   /BEHAVIOUR/SIZE/SEED[?...]   content of that size and seed, as fill() makes it
 * Behaviours are in the table of server.c; requests are kept for the rule to look at. */
#ifndef CHECK_SERVER_H
#define CHECK_SERVER_H
#include "bench.h"

struct request {
  char method[8], target[200];
  bool ranged, authorized;
  uint64_t from, to; /* inclusive; to UINT64_MAX: open */
  uint64_t body;     /* bytes received */
  bool body_right;   /* they were those of the target's seed, from its off= on */
  bool marked;       /* X-Check: yes */
  char text[256];    /* how a body begins */
};
struct server *server_start(void);
/* The URL of one part of content; it is named "part-OFF". */
const char *server_part_url(struct server *, char *out, size_t len, const char *behaviour, uint64_t size, uint64_t seed,
                            uint64_t off);
const char *server_url(struct server *, char *out, size_t len, const char *behaviour, uint64_t size, uint64_t seed);
uint32_t server_requests(struct server *, struct request *out, uint32_t room); /* answers how many there were */
uint32_t server_peak(struct server *);                                         /* most requests at the same time */
#endif
