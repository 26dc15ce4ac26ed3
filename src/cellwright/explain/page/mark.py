"""What stands in each page, so that it is known as one that can be made again."""

MADE_BY = "<!-- made by cellwright explain -->"
