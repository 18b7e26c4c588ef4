/* The lines of a reject file without their records, for those who only want to know whose they are.
 */
#ifndef TRANSHUME_ENGINE_REJECT_HEADS_H
#define TRANSHUME_ENGINE_REJECT_HEADS_H

#include "base/file.h"

/* As file_lines_next, but `{}` stands for the value of the line's own "record", which may be large:
 * memory holds nothing of it. A line that is no JSON object comes as it is. */
enum status reject_heads_next(struct file_lines *lines, struct error *error) MUST_USE;

#endif
