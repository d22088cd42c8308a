"""How a report is shown: one small writer a format, all over the same `Report`. None of them decides anything."""
