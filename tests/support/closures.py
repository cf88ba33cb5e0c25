"""A closures file for 2027. The days are invented: no notice says them."""

SOURCE = "Exchange notice 2026-99"
CLOSURES = f"""\
[[years]]
year = 2027
source = "{SOURCE}"
make_up = [2027-02-14, 2027-05-08]

[[years.closures]]
festival = "new-year"
from = 2027-01-01
to = 2027-01-03

[[years.closures]]
festival = "spring-festival"
from = 2027-02-05
to = 2027-02-10

[[years.closures]]
festival = "qingming"
from = 2027-04-03
to = 2027-04-05

[[years.closures]]
festival = "labour-day"
from = 2027-05-01
to = 2027-05-05

[[years.closures]]
festival = "dragon-boat"
from = 2027-06-09
to = 2027-06-09

[[years.closures]]
festival = "mid-autumn"
from = 2027-09-15
to = 2027-09-15

[[years.closures]]
festival = "national-day"
from = 2027-10-01
to = 2027-10-07

[[years.closures]]
festival = "other"
from = 2027-12-31
to = 2027-12-31
exchanges_only = true
"""
