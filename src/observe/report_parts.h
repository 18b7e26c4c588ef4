/* The inside of reports: what reads them, and the pieces of the page. */
#ifndef TRANSHUME_OBSERVE_REPORT_PARTS_H
#define TRANSHUME_OBSERVE_REPORT_PARTS_H

#include "base/buffer.h"
#include "observe/report.h"

/* report_chunks.c: chunks.jsonl. */
enum status report_read_chunks(const char *folder, struct report *report,
                               struct error *error) MUST_USE;
/* report_rejects.c: rejects/, up to a bound. */
enum status report_read_rejects(const char *folder, struct report *report,
                                struct error *error) MUST_USE;

/* report_warnings.c: what was warned of (events.jsonl), and its section of the page. */
enum status report_read_warnings(const char *folder, struct report *report,
                                 struct error *error) MUST_USE;
void report_append_warnings(const struct report *report, struct buffer *out);
/* " (3 times)" of one that stands in the log more than once. */
void report_append_repeats(struct buffer *out, const struct report_warning *warning);

/* report_form_json.c: `,"sum":{…},"entities":[…]`, and a tree as a member, null where it is NULL.
 */
void report_append_entities_json(const struct report *report, struct buffer *out);
void report_append_tree_json(struct buffer *out, const char *name, const json_t *tree);

/* report_repair.c: which run was repaired, and what was deleted; nothing for other runs. */
void report_append_repair(const struct report *report, struct buffer *out);
void report_append_repair_markdown(const struct report *report, struct buffer *out);

/* report_follow.c: what was followed; nothing for other runs. */
void report_append_follow(const struct report *report, struct buffer *out);
void report_append_follow_markdown(const struct report *report, struct buffer *out);

/* report_left.c: what was not carried: its sum, and a list with why; nothing where nothing is. */
void report_append_left_sum(const struct report *report, struct buffer *out);
void report_append_left(const struct report *report, struct buffer *out);
void report_append_left_markdown(const struct report *report, struct buffer *out);
/* The work that is left to do about rights, as statements; nothing where nothing is. */
void report_append_rights(const struct report *report, struct buffer *out);
void report_append_rights_markdown(const struct report *report, struct buffer *out);

/* report_chart.c: throughput over time as SVG; nothing for fewer than two samples. */
void report_append_chart(const struct report *report, struct buffer *out);
/* report_map.c: the chunks as a grid, SVG. */
void report_append_map(const struct report *report, struct buffer *out);
/* report_tables.c: sections of the page that are tables. */
void report_append_entities(const struct report *report, struct buffer *out);
void report_append_slowest(const struct report *report, struct buffer *out);
void report_append_attempts(const struct report *report, struct buffer *out);
void report_append_rejects(const struct report *report, struct buffer *out);
void report_append_validation(const struct report *report, struct buffer *out);
/* The number of entities whose hashes the databases summed, of all that they were to. */
size_t report_count_pushed(const json_t *entities, size_t *all);
void report_append_settings(const struct report *report, struct buffer *out);

/* Did a complete run write to standard output, which nobody can read again? */
bool report_is_streamed(const struct report *report);

/* Is it spelled as an id is, which may stand in a page and in a path? */
bool report_is_run_id(const char *text);

/* A text member of an object; NULL: it is not there or no text. */
const char *report_text(const json_t *object, const char *name);
uint64_t report_count(const json_t *object, const char *name);
/* The result of the validation, in a few words. */
const char *report_validation_words(const json_t *validation);
/* A text as it is, unless there is a NUL in it; that and all else as JSON. NULL: nothing is there;
 * the caller frees it. */
char *report_shown(const json_t *value);
/* "PostgreSQL 15.8, TLS 1.3, peer verified", not escaped; nothing where there was no server. */
void report_append_connection(struct buffer *out, const json_t *connection);
/* Numbers as people write them. */
void report_append_count(struct buffer *out, uint64_t count);
void report_append_bytes(struct buffer *out, uint64_t bytes);
void report_append_seconds(struct buffer *out, double seconds);
/* "2026-01-31 23:59:59 UTC" of a stamp of ours, escaped; anything else as it is. */
void report_append_time(struct buffer *out, const char *stamp);
/* "412,345 records/s"; "–" where it took no time. */
void report_append_rate(struct buffer *out, uint64_t count, double seconds);

/* ---------------------------------------------------------------- report_escape.c */

/*
 * All take any bytes up to the NUL (NULL: nothing). What is no character, controls but newline and
 * tab, and marks that turn the writing direction become U+FFFD.
 */

/* As text or attribute of HTML and of SVG in it: & < > " ' become references. */
void report_html(struct buffer *out, const char *text);
/* As running text or a cell of Markdown, not at the beginning of a line: what means something there
 * is escaped, line breaks become blanks. */
void report_markdown(struct buffer *out, const char *text);
/* As a block of code, with fences longer than any in it. */
void report_markdown_block(struct buffer *out, const char *language, const char *text);
/* As a JSON string with quotes; < > & are written \u003c …, so that it may stand in a page too. */
void report_json(struct buffer *out, const char *text);

#endif
