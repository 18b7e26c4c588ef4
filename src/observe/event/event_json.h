/* Events as lines of JSON: in events.jsonl, in logs and on the dashboard's stream. */
#ifndef TRANSHUME_OBSERVE_EVENT_JSON_H
#define TRANSHUME_OBSERVE_EVENT_JSON_H

#include "base/buffer.h"
#include "base/log.h"

/*
 * {"number":n,"at":UTC,"level":"error"|"warning"|"info"|"debug","kind":…,"code":…,"state":…,
 *  "table":…,"entity":…,"chunk":n,"key":TEXT,"count":n,"milliseconds":n,"text":…,"hint":…}
 * and a newline. What is not known is left out. This appends what stands behind the number.
 */
void event_json_append(const struct log_record *record, struct buffer *out);

/* The number of a line of events.jsonl without its newline; 0: it is no whole event. */
uint64_t event_json_number(const char *line, size_t length);

/* For log_set_formatter: the same without a number. A line that is too long loses the end of its
 * text, and if that is not enough, its names. */
size_t event_json_format(const struct log_record *record, char *line, size_t capacity);

#endif
