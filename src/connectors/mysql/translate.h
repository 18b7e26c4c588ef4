/* A table's definition as one server tells it, in the words of another brand or version. */
#ifndef TRANSHUME_CONNECTORS_MYSQL_TRANSLATE_H
#define TRANSHUME_CONNECTORS_MYSQL_TRANSLATE_H

#include "connectors/mysql/target.h"

/* ---------------------------------------------------------------- collation.c */

/* Reads which collations the server has, once. Control thread. */
enum status mysql_read_collations(struct mysql_database *self, MYSQL *connection,
                                  struct error *error) MUST_USE;
/* True also if they were not read. */
bool mysql_knows_collation(const struct mysql_database *self, const char *name);
/* The collation itself if the server has it; else, of the same character set, the one that is
 * nearest to it and takes no more texts for equal, if there is such a one. */
const char *mysql_nearest_collation(const struct mysql_database *self, const char *name);
/* May that be the name of one? NULL may not. */
bool mysql_is_collation(const char *name);
const char *mysql_nearest_charset(const struct mysql_database *self, const char *charset);
/* In what the two differ, for people; NULL: hardly. */
const char *mysql_collation_differs(const char *name, const char *nearest);

/* ---------------------------------------------------------------- translate.c */

/*
 * A table's definition in the server's own words: SHOW CREATE TABLE of the source, with `from`, the
 * source's database (may be NULL), as the target's. What the server has no word for becomes the
 * nearest, or is left out; `notes` gets a line for each, of the form of tell_changed without the
 * table ("index\tthe index x is left out: …"). STATUS_END: there is no statement, or it is not of
 * that form.
 */
enum status mysql_definition_of(const struct mysql_database *self, const struct schema_table *same,
                                const char *from, struct arena *arena,
                                struct mysql_definition *definition, struct buffer *notes) MUST_USE;
/* Has the server a type of a column's words? Asked of those that not all servers have. */
bool mysql_knows_type(const struct mysql_database *self, const char *words);
/* Drops all checks of a definition, with a line in `notes`. False: there are none. */
bool mysql_definition_drop_checks(struct mysql_definition *definition, struct buffer *notes);
/* " DEFAULT …" of another server's text of it, or nothing if this one has no such thing. `type`:
 * of the column, in words. */
void mysql_append_default(struct buffer *out, const struct mysql_database *self, const char *text,
                          const char *type);
/* "SET sql_mode = '…', collation_connection = '…'": without modes that the server does not know. */
void mysql_append_settings(struct buffer *out, const struct mysql_database *self,
                           const char *settings, size_t length);
/* The statement of a view, a routine and so on, with collations that the server has; a line in
 * `notes` for each that is another one. */
void mysql_append_translated(struct buffer *out, const struct mysql_database *self,
                             const char *statement, struct buffer *notes);
/* A line for each thing that tables which are to be made will have in another way than in their
 * source, or not at all, as tell_changed has them: "\tpeople and 3 other tables: the collation a
 * becomes b". Control thread. */
enum status mysql_list_changes(struct mysql_database *self, MYSQL *connection,
                               const struct target_table *const *tables, uint32_t table_count,
                               const char *from, struct buffer *out, struct error *error) MUST_USE;

#endif
