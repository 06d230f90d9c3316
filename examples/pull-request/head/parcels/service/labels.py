"""Prints labels on the depot's printer."""

import subprocess

from parcels.service.formatting import label_line


def print_label(number, grams, printer="depot-1"):
    """Print one label; `number` is what the customer typed."""
    line = label_line(number, grams)
    subprocess.run(f"echo '{line}' | lp -d {printer}", shell=True, check=True)


def print_all(parcels, done=[]):
    """Print a label for each parcel that has none yet."""
    for parcel in parcels:
        if parcel["number"] not in done:
            print_label(parcel["number"], parcel["grams"])
            done.append(parcel["number"])
    return done
