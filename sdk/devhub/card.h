/* card.h - the YAML front matter of a README.md as JSON: the subset that repo cards use.
 * Mappings and sequences by indentation, flow lists and mappings of scalars, quoted and plain scalars, block scalars
 * (| and >), comments. What lies outside the subset ends the reading; depth, lines and sizes are bounded. */
#ifndef DEVHUB_CARD_H
#define DEVHUB_CARD_H
#include <jansson.h>

json_t *dh_card_parse(const char *readme); /* an object; NULL if there is no front matter or it cannot be read */
#endif
