"""Make checks/identity/ps3.15-table-e.1-1.csv from the table that the package dicom-anonymizer carries.

    pip install dicom-anonymizer==2.1.0 pydicom
    python scripts/confidentiality_table.py > checks/identity/ps3.15-table-e.1-1.csv

The package holds DICOM PS3.15 Table E.1-1, edition 2026c, as lists of tags by the action of the Basic Profile. The HIPAA
category (45 CFR 164.514(b)(2)(i), items A to R) is our reading of each attribute's VR and name: the standard gives none.
"""

from __future__ import annotations

import csv
import importlib
import re
import sys

from pydicom.datadict import dictionary_keyword, dictionary_VR

DATABASE = "dicomanonymizer.dicom_anonymization_databases.dicomfields_2026c"
ACTIONS = {
    "D_TAGS": "D", "Z_TAGS": "Z", "X_TAGS": "X", "U_TAGS": "U", "Z_D_TAGS": "Z/D", "X_Z_TAGS": "X/Z", "X_D_TAGS": "X/D",
    "X_Z_D_TAGS": "X/Z/D", "X_Z_U_STAR_TAGS": "X/Z/U*",
}  # fmt: skip
BY_KEYWORD = [
    (r"Telephone|Telecom|Fax", "telephone number"),
    (r"Address|Country|Region|Residence|Location|Institution", "geographic subdivision"),
    ((r"MedicalRecord|PatientID|IssuerOfPatientID|OtherPatientIDs|PlacerOrder|FillerOrder|AccessionNumber|AdmissionID"
     r"|ServiceEpisodeID|RequestedProcedureID|ScheduledProcedureStepID|StudyID|PerformedProcedureStepID"
     r"|SubjectID|SubjectReadingID|SpecimenIdentifier|ContainerIdentifier"), "medical record number"),
    (r"InsurancePlan", "health plan beneficiary number"),
    (r"Certificate|MilitaryRank|License", "certificate or licence number"),
    ((r"SerialNumber|DeviceID|DeviceUID|UDI|UniqueDevice|StationName|AETitle|^(Source|Destination).*AE|GantryID|PlateID"
     r"|CassetteID|DetectorID|GridID|DeviceLabel|DeviceDescription|Equipment"), "device identifier"),
    (r"Birth|Date|Time|Age$", "date"),
    (r"URL|URI|Presigned", "web address"),
    (r"Photo|Face|Thumbnail|IconImage", "full-face photograph"),
    (r"Physician|Operator|Person|Name|Author|Reviewer|Observer|Reader|Custodian|Recorder|Requester", "name"),
]  # fmt: skip
BY_VR = {
    "PN": "name",
    "DA": "date",
    "DT": "date",
    "TM": "date",
    "UI": "unique identifier",
    "AS": "date",
    "AE": "device identifier",
}


def category(keyword: str, vr: str) -> str:
    if vr in BY_VR:
        return BY_VR[vr]
    return next((name for pattern, name in BY_KEYWORD if re.search(pattern, keyword)), "free text or other unique code")


def main() -> None:
    database = importlib.import_module(DATABASE)
    rows: dict[str, tuple[str, str, str]] = {}
    for name, action in ACTIONS.items():
        for entry in getattr(database, name):
            group, element, *mask = entry
            if mask:  # a repeating group: the mask tells which digits count
                if group % 2:
                    continue  # private attributes are refused as such
                digits, masks = f"{group:04X}{element:04X}", f"{mask[0]:04X}{mask[1]:04X}"
                tag = "".join(d if m == "F" else "x" for d, m in zip(digits, masks, strict=True))
                keyword = {"50xxxxxx": "CurveData", "60xx3000": "OverlayData", "60xx4000": "OverlayComments"}.get(tag, "")
                vr = "OW"
            else:
                number = group << 16 | element
                tag = f"{number:08X}"
                try:
                    keyword, vr = dictionary_keyword(number), dictionary_VR(number)
                except KeyError:
                    keyword, vr = "", "UN"
            rows[f"({tag[:4]},{tag[4:]})"] = (keyword, action, category(keyword, vr))
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(["tag", "keyword", "action", "hipaa"])
    out.writerows([tag, *row] for tag, row in sorted(rows.items()))


if __name__ == "__main__":
    main()
